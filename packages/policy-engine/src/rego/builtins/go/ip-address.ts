/**
 * IP addresses and CIDR blocks as Go's net package reads and prints them: no leading zeros in IPv4, an
 * IPv4-mapped IPv6 address is the IPv4 address, addresses print in the short form of RFC 5952.
 */

export type Family = 4 | 6;

export interface Address {
  readonly family: Family;
  readonly value: bigint;
}

/** A block of addresses; `base` has no bits beyond the prefix. */
export interface Network {
  readonly family: Family;
  readonly base: bigint;
  readonly prefix: number;
}

const MAPPED = 0xffffn << 32n;

export const familyBits = (family: Family): number => (family === 4 ? 32 : 128);

/** An IPv4-mapped address as the IPv4 address it stands for. */
export function unmapped(address: Address): Address {
  const mapped = address.family === 6 && address.value >> 32n === 0xffffn;
  return mapped ? { family: 4, value: address.value & 0xffffffffn } : address;
}

/** The 128-bit form in which addresses of both families have one order. */
export function mappedValue(family: Family, value: bigint): bigint {
  return family === 4 ? MAPPED | value : value;
}

function parseOctet(text: string): number | undefined {
  if (text.length === 0 || text.length > 3 || (text.length > 1 && text.startsWith("0"))) {
    return undefined;
  }
  let value = 0;
  for (let index = 0; index < text.length; index += 1) {
    const digit = text.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) {
      return undefined;
    }
    value = value * 10 + digit;
  }
  return value <= 255 ? value : undefined;
}

function parse4(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) {
    return undefined;
  }
  let value = 0n;
  for (const part of parts) {
    const octet = parseOctet(part);
    if (octet === undefined) {
      return undefined;
    }
    value = (value << 8n) | BigInt(octet);
  }
  return value;
}

function parseGroup(text: string): bigint | undefined {
  if (text.length === 0 || text.length > 4) {
    return undefined;
  }
  let value = 0;
  for (const character of text.toLowerCase()) {
    const digit = "0123456789abcdef".indexOf(character);
    if (digit < 0) {
      return undefined;
    }
    value = value * 16 + digit;
  }
  return BigInt(value);
}

/** Groups of 16 bits of one side of `::`; a dotted IPv4 address may stand last. */
function parseGroups(text: string, last: boolean): readonly bigint[] | undefined {
  if (text === "") {
    return [];
  }
  const groups: bigint[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (last && index === parts.length - 1 && part.includes(".")) {
      const tail = parse4(part);
      if (tail === undefined) {
        return undefined;
      }
      groups.push(tail >> 16n, tail & 0xffffn);
      continue;
    }
    const group = parseGroup(part);
    if (group === undefined) {
      return undefined;
    }
    groups.push(group);
  }
  return groups;
}

function parse6(text: string): bigint | undefined {
  const gap = text.indexOf("::");
  const head = parseGroups(gap < 0 ? text : text.slice(0, gap), gap < 0);
  const tail = gap < 0 ? [] : parseGroups(text.slice(gap + 2), true);
  if (head === undefined || tail === undefined) {
    return undefined;
  }
  const given = head.length + tail.length;
  if (gap < 0 ? given !== 8 : given > 7) {
    return undefined;
  }
  const groups = [...head, ...new Array<bigint>(8 - given).fill(0n), ...tail];
  return groups.reduce((value, group) => (value << 16n) | group, 0n);
}

/** The longest text an address can have, a zone apart. */
const maxAddressLength = 64;

/** An address as written, not unmapped. With `zone`, an IPv6 address may have one (it is dropped). */
export function parseAddress(text: string, zone = false): Address | undefined {
  const percent = zone ? text.indexOf("%") : -1;
  const address = percent < 0 ? text : text.slice(0, percent);
  if (address.length > maxAddressLength || (percent >= 0 && percent === text.length - 1)) {
    return undefined;
  }
  if (address.includes(":")) {
    const value = parse6(address);
    return value === undefined ? undefined : { family: 6, value };
  }
  const value = percent < 0 ? parse4(address) : undefined;
  return value === undefined ? undefined : { family: 4, value };
}

function parsePrefix(text: string): number | undefined {
  if (text.length === 0 || text.length > 10) {
    return undefined;
  }
  let value = 0;
  for (let index = 0; index < text.length; index += 1) {
    const digit = text.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) {
      return undefined;
    }
    value = value * 10 + digit;
  }
  return value;
}

/** The addresses a prefix leaves open, as a mask of ones. */
export function hostMask(family: Family, prefix: number): bigint {
  return (1n << BigInt(familyBits(family) - prefix)) - 1n;
}

export function parseNetwork(text: string): Network | undefined {
  const slash = text.indexOf("/");
  const address = slash < 0 ? undefined : parseAddress(text.slice(0, slash));
  const prefix = slash < 0 ? undefined : parsePrefix(text.slice(slash + 1));
  if (address === undefined || prefix === undefined || prefix > familyBits(address.family)) {
    return undefined;
  }
  const base = address.value & ~hostMask(address.family, prefix);
  const plain = unmapped({ family: address.family, value: base });
  if (plain.family !== address.family && prefix >= 96) {
    return { family: 4, base: plain.value, prefix: prefix - 96 };
  }
  return { family: address.family, base, prefix };
}

export const lastOf = (network: Network): bigint => network.base | hostMask(network.family, network.prefix);

export function containsAddress(network: Network, address: Address): boolean {
  const plain = unmapped(address);
  const open = BigInt(familyBits(network.family) - network.prefix);
  return plain.family === network.family && plain.value >> open === network.base >> open;
}

export function containsNetwork(outer: Network, inner: Network): boolean {
  return outer.prefix <= inner.prefix && containsAddress(outer, { family: inner.family, value: inner.base });
}

function text6(value: bigint): string {
  const groups: string[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) {
    groups.push(((value >> shift) & 0xffffn).toString(16));
  }
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start += 1) {
    let end = start;
    while (groups[end] === "0") {
      end += 1;
    }
    if (end - start > best.length) {
      best = { start, length: end - start };
    }
  }
  if (best.start < 0) {
    return groups.join(":");
  }
  return `${groups.slice(0, best.start).join(":")}::${groups.slice(best.start + best.length).join(":")}`;
}

export function addressText(address: Address): string {
  const { family, value } = unmapped(address);
  if (family === 6) {
    return text6(value);
  }
  return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 0xffn)).join(".");
}
