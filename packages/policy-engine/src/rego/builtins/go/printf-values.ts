/**
 * How Go's fmt writes one argument under one verb and its flags (package fmt, format.go).
 *
 * One thing differs, of necessity: a Rego number here does not remember whether it was written `100` or `100.0`.
 * The float verbs therefore take integers too, where OPA prints `%!f(int64=100)`.
 */
import { countWork } from "../../work-meter.ts";
import { bitLength, decomposeDouble } from "./big-float.ts";
import { bytesOf, runeCount } from "./bytes.ts";
import { type FloatVerb, formatFloat } from "./float-text.ts";
import { bigIntText } from "./number-text.ts";
import { goQuote, isPrintable, quoteRune } from "./quote.ts";

export type PrintfArgument = string | number | bigint;

/** What stands between `%` and the verb. */
export interface Flags {
  sharp: boolean;
  zero: boolean;
  plus: boolean;
  minus: boolean;
  space: boolean;
  width: number | undefined;
  precision: number | undefined;
}

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;

export function goType(value: PrintfArgument): string {
  if (typeof value === "string") {
    return "string";
  }
  if (typeof value === "number" && !Number.isInteger(value)) {
    return "float64";
  }
  const exact = BigInt(value);
  return exact >= MIN_INT64 && exact <= MAX_INT64 ? "int64" : "*big.Int";
}

function padding(flags: Flags, text: string, zeros = flags.zero): string {
  const width = flags.width ?? 0;
  // A rune has at most two units.
  const missing = text.length >= 2 * width ? 0 : width - runeCount(text);
  if (missing <= 0) {
    return text;
  }
  if (flags.minus) {
    return text + " ".repeat(missing);
  }
  return (zeros ? "0" : " ").repeat(missing) + text;
}

function truncated(flags: Flags, text: string): string {
  if (flags.precision === undefined) {
    return text;
  }
  if (text.length <= flags.precision) {
    return text;
  }
  // A rune has at most two units.
  return Array.from(text.slice(0, 2 * flags.precision))
    .slice(0, flags.precision)
    .join("");
}

/** `%x` of a string: the bytes in hex. */
function hexOfText(flags: Flags, text: string, upper: boolean): string {
  // A unit has at least one byte; one more, as the last may be half of a pair.
  const shown = flags.precision === undefined ? text : text.slice(0, flags.precision + 1);
  countWork(shown.length);
  const bytes = bytesOf(shown).subarray(0, flags.precision);
  const prefix = flags.sharp ? (upper ? "0X" : "0x") : "";
  const pairs = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"));
  const digits = upper ? pairs.map((pair) => pair.toUpperCase()) : pairs;
  if (digits.length === 0) {
    return padding(flags, "");
  }
  return padding(
    flags,
    flags.space ? digits.map((pair) => prefix + pair).join(" ") : prefix + digits.join(""),
  );
}

function quoted(flags: Flags, text: string): string {
  const shown = truncated(flags, text);
  const raw = flags.sharp && !shown.includes("`") && Array.from(shown).every(isRawRune);
  return padding(flags, raw ? `\`${shown}\`` : goQuote(shown, flags.plus));
}

function isRawRune(character: string): boolean {
  const code = character.codePointAt(0) ?? 0;
  return code === 0x09 || (code >= 0x20 && code !== 0x7f && code !== 0xfeff);
}

function formatText(flags: Flags, text: string, verb: string): string | undefined {
  switch (verb) {
    case "v":
      return flags.sharp ? quoted({ ...flags, sharp: false }, text) : padding(flags, truncated(flags, text));
    case "s":
      return padding(flags, truncated(flags, text));
    case "x":
    case "X":
      return hexOfText(flags, text, verb === "X");
    case "q":
      return quoted(flags, text);
    default:
      return undefined;
  }
}

const RADIX: ReadonlyMap<string, number> = new Map([
  ["d", 10],
  ["v", 10],
  ["b", 2],
  ["o", 8],
  ["O", 8],
  ["x", 16],
  ["X", 16],
]);

function integerPrefix(flags: Flags, verb: string, digits: string): string {
  if (verb === "O") {
    return "0o";
  }
  if (!flags.sharp) {
    return "";
  }
  switch (verb) {
    case "b":
      return "0b";
    case "o":
      return digits.startsWith("0") ? "" : "0";
    case "x":
      return "0x";
    case "X":
      return "0X";
    default:
      return "";
  }
}

function formatInteger(flags: Flags, value: bigint, verb: string, radix: number): string {
  const negative = value < 0n;
  const sign = negative ? "-" : flags.plus ? "+" : flags.space ? " " : "";
  if (flags.precision === 0 && value === 0n) {
    return padding(flags, "", false);
  }
  const plain = bigIntText(negative ? -value : value, radix);
  const digits = verb === "X" ? plain.toUpperCase() : plain;
  let least = flags.precision ?? 0;
  if (flags.precision === undefined && flags.zero && !flags.minus) {
    least = (flags.width ?? 0) - sign.length;
  }
  const filled = digits.padStart(least, "0");
  return padding(flags, sign + integerPrefix(flags, verb, filled) + filled, false);
}

function formatUnicode(flags: Flags, value: bigint): string {
  const code = value
    .toString(16)
    .toUpperCase()
    .padStart(Math.max(4, flags.precision ?? 4), "0");
  const shown =
    flags.sharp && value <= 0x10ffffn && isPrintable(Number(value))
      ? ` '${String.fromCodePoint(Number(value))}'`
      : "";
  return padding(flags, `U+${code}${shown}`, false);
}

function runeOf(value: bigint): number {
  const valid = value >= 0n && value <= 0x10ffffn && !(value >= 0xd800n && value <= 0xdfffn);
  return valid ? Number(value) : 0xfffd;
}

function formatInt64(flags: Flags, value: bigint, verb: string): string | undefined {
  const radix = RADIX.get(verb);
  if (radix !== undefined) {
    return formatInteger(flags, value, verb, radix);
  }
  switch (verb) {
    case "c":
      return padding(flags, String.fromCodePoint(runeOf(value)));
    case "q":
      return padding(flags, `'${quoteRune(runeOf(value), "'", flags.plus)}'`);
    case "U":
      return formatUnicode(flags, BigInt.asUintN(64, value));
    default:
      return undefined;
  }
}

const FLOAT_VERBS: ReadonlyMap<string, readonly [FloatVerb, number]> = new Map([
  ["v", ["g", -1]],
  ["g", ["g", -1]],
  ["G", ["g", -1]],
  ["e", ["e", 6]],
  ["E", ["e", 6]],
  ["f", ["f", 6]],
  ["F", ["f", 6]],
] as const);

/** The `#` flag keeps the point, and for `%g` the zeros too. */
function withPoint(text: string, verb: string, precision: number): string {
  const exponentAt = text.indexOf("e");
  const tail = exponentAt < 0 ? "" : text.slice(exponentAt);
  let number = exponentAt < 0 ? text : text.slice(0, exponentAt);
  if (!number.includes(".")) {
    number += ".";
  }
  if (verb === "g" || verb === "G" || verb === "v") {
    const wanted = precision < 0 ? 6 : precision;
    const significant = number.replace("-", "").replace(".", "");
    const leading = significant.length - trimLeftZeros(significant).length;
    const counted = significant.length - (leading === significant.length ? leading - 1 : leading);
    number += "0".repeat(Math.max(0, wanted - counted));
  }
  return number + tail;
}

function trimLeftZeros(text: string): string {
  let start = 0;
  while (text[start] === "0") {
    start += 1;
  }
  return text.slice(start);
}

/** Trailing zeros of a hexadecimal fraction say nothing. */
function trimHex(text: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === "0") {
    end -= 1;
  }
  return text.slice(0, end);
}

/** `%x` of a float64, `0x1.8p+01`, and `%b`, `4503599627370496p-52`; shortest form only. */
function binaryFloat(value: number, verb: string): string {
  const { mantissa, exponent } = decomposeDouble(Math.abs(value));
  const sign = value < 0 ? "-" : "";
  if (verb === "b") {
    return `${sign}${mantissa}p${exponent < 0 ? "-" : "+"}${Math.abs(exponent)}`;
  }
  if (mantissa === 0n) {
    return `${sign}0x0p+00`;
  }
  const bits = bitLength(mantissa);
  const power = exponent + bits - 1;
  const fraction = trimHex((mantissa << BigInt(53 - bits)).toString(16).padStart(14, "0").slice(1));
  const digits = fraction === "" ? "1" : `1.${fraction}`;
  return `${sign}0x${digits}p${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

function doubleText(flags: Flags, value: number, verb: string): string | undefined {
  if (verb === "b" || verb === "x" || verb === "X") {
    return binaryFloat(value, verb);
  }
  const known = FLOAT_VERBS.get(verb);
  if (known === undefined) {
    return undefined;
  }
  const [kind, usual] = known;
  const precision = flags.precision ?? usual;
  const text = formatFloat(value, kind, precision);
  return flags.sharp ? withPoint(text, verb, precision) : text;
}

function formatDouble(flags: Flags, value: number, verb: string): string | undefined {
  const lower = doubleText(flags, value, verb);
  if (lower === undefined) {
    return undefined;
  }
  const text = verb === "E" || verb === "G" || verb === "X" ? lower.toUpperCase() : lower;
  const sign = text.startsWith("-") ? "-" : flags.plus ? "+" : flags.space ? " " : "";
  const digits = text.startsWith("-") ? text.slice(1) : text;
  if (sign !== "" && flags.zero && !flags.minus) {
    return sign + digits.padStart((flags.width ?? 0) - 1, "0");
  }
  return padding(flags, sign + digits);
}

function formatBigInt(flags: Flags, value: bigint, verb: string): string {
  const radix = verb === "s" ? 10 : RADIX.get(verb);
  return radix === undefined
    ? `%!${verb}(big.Int=${bigIntText(value)})`
    : formatInteger(flags, value, verb, radix);
}

export function formatArgument(flags: Flags, value: PrintfArgument, verb: string): string {
  const type = goType(value);
  if (verb === "T") {
    return padding(flags, truncated(flags, type));
  }
  const text = formatKnown(flags, value, verb, type);
  if (text !== undefined) {
    return text;
  }
  const plain = typeof value === "string" ? { ...flags, sharp: false } : flags;
  return `%!${verb}(${type}=${formatKnown(plain, value, "v", type) ?? ""})`;
}

function formatKnown(flags: Flags, value: PrintfArgument, verb: string, type: string): string | undefined {
  if (typeof value === "string") {
    return formatText(flags, value, verb);
  }
  if (type === "float64" || (verb !== "v" && FLOAT_VERBS.has(verb))) {
    return formatDouble(flags, Number(value), verb);
  }
  return type === "int64"
    ? formatInt64(flags, BigInt(value), verb)
    : formatBigInt(flags, BigInt(value), verb);
}
