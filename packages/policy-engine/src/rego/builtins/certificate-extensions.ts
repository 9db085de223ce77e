/** The extensions of certificates and requests (RFC 5280 section 4.2), read from DER. */
import { contextTag, DerError, DerReader, derBits, derChildren, derInteger, derOid, tags } from "./go/der.ts";
import { addressText } from "./go/ip-address.ts";

export const dotted = (oid: readonly number[]): string => oid.join(".");

/** x509.ExtKeyUsage. */
export const extendedUsages: ReadonlyMap<string, number> = new Map([
  ["2.5.29.37.0", 0],
  ["1.3.6.1.5.5.7.3.1", 1],
  ["1.3.6.1.5.5.7.3.2", 2],
  ["1.3.6.1.5.5.7.3.3", 3],
  ["1.3.6.1.5.5.7.3.4", 4],
  ["1.3.6.1.5.5.7.3.5", 5],
  ["1.3.6.1.5.5.7.3.6", 6],
  ["1.3.6.1.5.5.7.3.7", 7],
  ["1.3.6.1.5.5.7.3.8", 8],
  ["1.3.6.1.5.5.7.3.9", 9],
  ["1.3.6.1.4.1.311.10.3.3", 10],
  ["2.16.840.1.113730.4.1", 11],
  ["1.3.6.1.4.1.311.2.1.22", 12],
  ["1.3.6.1.4.1.311.61.1.1", 13],
]);

export interface Extension {
  readonly oid: readonly number[];
  readonly critical: boolean;
  readonly value: Uint8Array;
}

export function extensionsOf(sequence: Uint8Array): readonly Extension[] {
  return derChildren(sequence).map((item) => {
    const reader = new DerReader(item.content);
    const oid = derOid(reader.expect(tags.oid).content);
    const critical = (reader.optional(tags.boolean)?.content[0] ?? 0) !== 0;
    return { oid, critical, value: reader.expect(tags.octetString).content };
  });
}

export interface AlternativeNames {
  readonly dns: readonly string[];
  readonly emails: readonly string[];
  readonly addresses: readonly string[];
  readonly uris: readonly string[];
}

export const NO_NAMES: AlternativeNames = { dns: [], emails: [], addresses: [], uris: [] };

function ipText(bytes: Uint8Array): string {
  if (bytes.length !== 4 && bytes.length !== 16) {
    throw new DerError("an IP address of a wrong length");
  }
  const value = BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
  return addressText({ family: bytes.length === 4 ? 4 : 6, value });
}

export function alternativeNames(value: Uint8Array): AlternativeNames {
  const found = derChildren(new DerReader(value).expect(tags.sequence).content);
  const texts = (number: number) =>
    found.filter(({ tag }) => tag === contextTag(number, false)).map(({ content }) => content);
  const ascii = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
  return {
    dns: texts(2).map(ascii),
    emails: texts(1).map(ascii),
    addresses: texts(7).map(ipText),
    uris: texts(6).map(ascii),
  };
}

export function keyUsageOf(value: Uint8Array): number {
  const bits = derBits(new DerReader(value).expect(tags.bitString));
  let usage = 0;
  for (let bit = 0; bit < 9; bit += 1) {
    if (((bits[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1) {
      usage |= 1 << bit;
    }
  }
  return usage;
}

interface Basic {
  readonly isAuthority: boolean;
  readonly maxPathLength: number;
}

export function basicOf(value: Uint8Array): Basic {
  const reader = new DerReader(value).enter();
  const isAuthority = (reader.optional(tags.boolean)?.content[0] ?? 0) !== 0;
  const length = reader.optional(tags.integer);
  return { isAuthority, maxPathLength: length === undefined ? -1 : Number(derInteger(length)) };
}

export function distributionPoints(value: Uint8Array): readonly string[] {
  const urls: string[] = [];
  for (const point of derChildren(new DerReader(value).expect(tags.sequence).content)) {
    const name = new DerReader(point.content).optional(contextTag(0, true));
    const full = name === undefined ? undefined : new DerReader(name.content).optional(contextTag(0, true));
    for (const general of full === undefined ? [] : derChildren(full.content)) {
      if (general.tag === contextTag(6, false)) {
        urls.push(Buffer.from(general.content).toString("latin1"));
      }
    }
  }
  return urls;
}

export function authorityAccess(value: Uint8Array, method: string): readonly string[] {
  return derChildren(new DerReader(value).expect(tags.sequence).content).flatMap((item) => {
    const reader = new DerReader(item.content);
    const oid = dotted(derOid(reader.expect(tags.oid).content));
    const location = reader.next();
    const wanted = oid === method && location.tag === contextTag(6, false);
    return wanted ? [Buffer.from(location.content).toString("latin1")] : [];
  });
}

export function policies(value: Uint8Array): readonly (readonly number[])[] {
  return derChildren(new DerReader(value).expect(tags.sequence).content).map((item) =>
    derOid(new DerReader(item.content).expect(tags.oid).content),
  );
}

export function extendedOids(value: Uint8Array): readonly (readonly number[])[] {
  return derChildren(new DerReader(value).expect(tags.sequence).content).map((item) => derOid(item.content));
}

/** Extensions by dotted identifier; a second of the same kind is malformed. */
export function extensionMap(extensions: readonly Extension[]): ReadonlyMap<string, Extension> {
  const map = new Map(extensions.map((extension) => [dotted(extension.oid), extension]));
  if (map.size !== extensions.length) {
    throw new DerError("certificate contains duplicate extensions");
  }
  return map;
}

export function apply<T>(
  map: ReadonlyMap<string, Extension>,
  oid: string,
  read: (value: Uint8Array) => T,
): T | undefined {
  const extension = map.get(oid);
  return extension === undefined ? undefined : read(extension.value);
}

export function authorityKeyId(value: Uint8Array): Uint8Array | undefined {
  return new DerReader(value).enter().optional(contextTag(0, false))?.content;
}
