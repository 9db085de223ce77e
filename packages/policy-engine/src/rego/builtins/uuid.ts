/** `uuid.rfc4122` and `uuid.parse` (OPA's internal/uuid on google/uuid). */
import { canonicalKey, integer, type RegoValue } from "../values.ts";
import type { Builtin, BuiltinContext } from "./contract.ts";
import { builtin, operand, textOperand } from "./operands.ts";

/** Offsets of the dashes, and of each byte's two hex digits. */
const DASHES = [8, 13, 18, 23] as const;
const BYTES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34] as const;

function dashed(hex: string): string {
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** A random UUID (version 4), the same within a query for the same key. */
function random(args: readonly RegoValue[], context: BuiltinContext): string {
  const key = `uuid.rfc4122:${canonicalKey(operand(args, 1))}`;
  const known = context.queryCache.get(key);
  if (typeof known === "string") {
    return known;
  }
  const bytes = Buffer.from(context.randomBytes(16));
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  const text = dashed(bytes.toString("hex"));
  context.queryCache.set(key, text);
  return text;
}

/** The 36 characters of the usual form, of any of the forms there are. */
function usualForm(text: string): string | undefined {
  switch (text.length) {
    case 36:
      return text;
    case 45:
      return text.slice(0, 9).toLowerCase() === "urn:uuid:" ? text.slice(9) : undefined;
    case 38:
      return text.slice(1, 37);
    case 32:
      return dashed(text);
    default:
      return undefined;
  }
}

function hexByte(text: string): number | undefined {
  const digits = Array.from(text.toLowerCase(), (character) => "0123456789abcdef".indexOf(character));
  const [high = -1, low = -1] = digits;
  return high < 0 || low < 0 ? undefined : high * 16 + low;
}

function parseUuid(text: string): Buffer | undefined {
  const form = usualForm(text);
  if (form === undefined || !DASHES.every((offset) => form[offset] === "-")) {
    return undefined;
  }
  const bytes = BYTES.map((offset) => hexByte(form.slice(offset, offset + 2)));
  const known = bytes.filter((byte) => byte !== undefined);
  return known.length === 16 ? Buffer.from(known) : undefined;
}

function variant(byte: number): string {
  if ((byte & 0xc0) === 0x80) {
    return "RFC4122";
  }
  if ((byte & 0xe0) === 0xc0) {
    return "Microsoft";
  }
  return (byte & 0xe0) === 0xe0 ? "Future" : "Reserved";
}

function addressKind(byte: number): string {
  return `${byte & 2 ? "local" : "global"}:${byte & 1 ? "multicast" : "unicast"}`;
}

/** 1582-10-15 to 1970-01-01 in units of 100 ns. */
const GREGORIAN_TO_UNIX = 122_192_928_000_000_000n;

const DOMAINS = ["Person", "Group", "Org"] as const;

function describe(bytes: Buffer): RegoValue {
  const version = (bytes[6] ?? 0) >> 4;
  const common = { version, variant: variant(bytes[8] ?? 0) };
  if (version !== 1 && version !== 2) {
    return common;
  }
  const ticks =
    BigInt(bytes.readUInt32BE(0)) |
    (BigInt(bytes.readUInt16BE(4)) << 32n) |
    (BigInt(bytes.readUInt16BE(6) & 0xfff) << 48n);
  const timed = {
    ...common,
    time: integer(BigInt.asIntN(64, (ticks - GREGORIAN_TO_UNIX) * 100n)),
    nodeid: Array.from(bytes.subarray(10), (byte) => byte.toString(16).padStart(2, "0")).join("-"),
    macvariables: addressKind(bytes[10] ?? 0),
    clocksequence: bytes.readUInt16BE(8) & 0x3fff,
  };
  const domain = bytes[9] ?? 0;
  return version === 1
    ? timed
    : { ...timed, id: bytes.readUInt32BE(0), domain: DOMAINS[domain] ?? `Domain${domain}` };
}

export const uuidBuiltins: readonly Builtin[] = [
  builtin("uuid.rfc4122", 1, random),
  builtin("uuid.parse", 1, (args) => {
    const bytes = parseUuid(textOperand(args, 1));
    return bytes === undefined ? undefined : describe(bytes);
  }),
];
