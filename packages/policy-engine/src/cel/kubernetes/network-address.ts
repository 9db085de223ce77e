import { quoteBytes, toByteString } from "./go-strings.ts";
import { type Parsed, parsed, unparsed } from "./parsed.ts";

/**
 * IP addresses and prefixes as Go's `net/netip` reads and writes them: no leading zeros in IPv4, at most one
 * `::`, an embedded IPv4 tail, an optional zone. Error texts are netip's, since the server hands them to users.
 */

/** An address as a number of `width` bits. */
export interface IpAddress {
  readonly width: 32 | 128;
  readonly bits: bigint;
  /** IPv6 zone (`eth0` in `fe80::1%eth0`), "" for none. A byte string. */
  readonly zone: string;
}

export interface IpPrefix {
  readonly address: IpAddress;
  /** Length of the prefix in bits. Bits of the address beyond it are kept: they are not required to be zero. */
  readonly length: number;
}

/** A mistake inside an address: `at` is the rest of the text from where it shows, when there is such a place. */
interface Flaw {
  readonly flaw: string;
  readonly at?: string;
}

/** Reads an address. The error is the text of netip's `ParseAddr` error. */
export function parseAddress(text: string): Parsed<IpAddress> {
  return parseAddressBytes(toByteString(text));
}

/** `parseAddress` for a byte string. */
export function parseAddressBytes(bytes: string): Parsed<IpAddress> {
  const read = readAddress(bytes);
  if (!("flaw" in read)) return parsed(read);
  const place = read.at === undefined || read.at === "" ? "" : ` (at ${quoteBytes(read.at)})`;
  return unparsed(`ParseAddr(${quoteBytes(bytes)}): ${read.flaw}${place}`);
}

function readAddress(bytes: string): IpAddress | Flaw {
  for (const character of bytes) {
    if (character === ".") {
      const bits = readIPv4(bytes);
      return typeof bits === "bigint" ? { width: 32, bits, zone: "" } : bits;
    }
    if (character === ":") return readIPv6(bytes);
    if (character === "%") return { flaw: "missing IPv6 address" };
  }
  return { flaw: "unable to parse IP" };
}

const isDigit = (character: string | undefined): boolean =>
  character !== undefined && character >= "0" && character <= "9";

/** The four octets as one number. */
function readIPv4(text: string): bigint | Flaw {
  let bits = 0;
  let octets = 0;
  for (let at = 0; ; octets++) {
    const octet = readOctet(text, at);
    if ("flaw" in octet) return octet;
    const { end, value } = octet;
    if (end === text.length) {
      return octets < 3 ? { flaw: "IPv4 address too short" } : BigInt(bits * 256 + value);
    }
    if (octets === 3) return { flaw: "IPv4 address too long" };
    bits = bits * 256 + value;
    at = end + 1;
  }
}

/** One octet, and where it ends: at a point or the end of the text. */
function readOctet(text: string, start: number): { readonly value: number; readonly end: number } | Flaw {
  let value = 0;
  let end = start;
  for (; isDigit(text[end]); end++) {
    if (value === 0 && end > start) return { flaw: "IPv4 field has octet with leading zero" };
    value = value * 10 + Number(text[end]);
    if (value > 255) return { flaw: "IPv4 field has value >255" };
  }
  if (end < text.length && text[end] !== ".") return { flaw: "unexpected character", at: text.slice(end) };
  // A point needs a digit on either side.
  if (end === start || (end === text.length - 1 && text[end] === ".")) {
    return {
      flaw: "IPv4 field must have at least one digit",
      at: text.slice(Math.min(end, text.length - 1)),
    };
  }
  return { value, end };
}

function readIPv6(text: string): IpAddress | Flaw {
  const percent = text.indexOf("%");
  const zone = percent < 0 ? "" : text.slice(percent + 1);
  if (percent >= 0 && zone === "") return { flaw: "zone must be a non-empty string" };
  const groups = readGroups(percent < 0 ? text : text.slice(0, percent));
  if ("flaw" in groups) return groups;
  let bits = 0n;
  for (const group of groups) bits = (bits << 16n) | BigInt(group);
  return { width: 128, bits, zone };
}

/** What is read so far of the eight 16-bit groups. */
interface Groups {
  readonly read: number[];
  /** How many groups stand before the `::`, or undefined when there is none (yet). */
  gap: number | undefined;
}

function readGroups(text: string): number[] | Flaw {
  const groups: Groups = { read: [], gap: undefined };
  let rest = text;
  if (rest.startsWith("::")) {
    groups.gap = 0;
    rest = rest.slice(2);
    if (rest === "") return new Array<number>(8).fill(0);
  }
  while (groups.read.length < 8) {
    const next = readGroup(groups, rest);
    if (typeof next !== "string") return next;
    rest = next;
    if (rest === "") break;
  }
  if (rest !== "") return { flaw: "trailing garbage after address", at: rest };
  return fillGap(groups);
}

function fillGap({ read, gap }: Groups): number[] | Flaw {
  const missing = 8 - read.length;
  if (gap === undefined) return missing > 0 ? { flaw: "address string too short" } : read;
  if (missing === 0) return { flaw: "the :: must expand to at least one field of zeros" };
  return [...read.slice(0, gap), ...new Array<number>(missing).fill(0), ...read.slice(gap)];
}

/** Reads one group and the colons after it; returns the text still to read. */
function readGroup(groups: Groups, text: string): string | Flaw {
  const digits = leadingHexDigits(text);
  if (typeof digits !== "number") return digits;
  if (text[digits] === ".") return readEmbeddedIPv4(groups, text);
  groups.read.push(Number.parseInt(text.slice(0, digits), 16));
  const rest = text.slice(digits);
  if (rest === "") return "";
  if (rest[0] !== ":") return { flaw: "unexpected character, want colon", at: rest };
  if (rest.length === 1) return { flaw: "colon must be followed by more characters", at: rest };
  if (rest[1] !== ":") return rest.slice(1);
  if (groups.gap !== undefined) return { flaw: "multiple :: in address", at: rest.slice(1) };
  groups.gap = groups.read.length;
  return rest.slice(2);
}

function leadingHexDigits(text: string): number | Flaw {
  let count = 0;
  while (/^[0-9a-fA-F]$/.test(text[count] ?? "")) {
    if (count > 3) return { flaw: "each group must have 4 or less digits", at: text };
    count++;
  }
  if (count === 0) return { flaw: "each colon-separated field must have at least one digit", at: text };
  return count;
}

function readEmbeddedIPv4(groups: Groups, text: string): string | Flaw {
  if (groups.gap === undefined && groups.read.length !== 6) {
    return { flaw: "embedded IPv4 address must replace the final 2 fields of the address", at: text };
  }
  if (groups.read.length > 6) {
    return { flaw: "too many hex fields to fit an embedded IPv4 at the end of the address", at: text };
  }
  const bits = readIPv4(text);
  if (typeof bits !== "bigint") return bits;
  groups.read.push(Number(bits >> 16n), Number(bits & 0xffffn));
  return "";
}

/** Reads a prefix in CIDR notation. The error is the text of netip's `ParsePrefix` error. */
export function parsePrefix(text: string): Parsed<IpPrefix> {
  const bytes = toByteString(text);
  const read = readPrefix(bytes);
  if (typeof read !== "string") return parsed(read);
  return unparsed(`netip.ParsePrefix(${quoteBytes(bytes)}): ${read}`);
}

function readPrefix(bytes: string): IpPrefix | string {
  const slash = bytes.lastIndexOf("/");
  if (slash < 0) return "no '/'";
  const address = parseAddressBytes(bytes.slice(0, slash));
  if ("error" in address) return address.error;
  if (address.value.zone !== "") return "IPv6 zones cannot be present in a prefix";
  const digits = bytes.slice(slash + 1);
  // One digit or a number without leading zero, and what fits Go's int: longer ones are no number at all.
  const length = /^(?:\d|[1-9]\d{1,18})$/.test(digits) ? BigInt(digits) : undefined;
  if (length === undefined || length >= 2n ** 63n) return `bad bits after slash: ${quoteBytes(digits)}`;
  if (length > address.value.width) return "prefix length out of range";
  return { address: address.value, length: Number(length) };
}

/** The canonical text of an address without zone (RFC 5952): what netip's `Addr.String` returns. */
export function formatAddress({ width, bits }: IpAddress): string {
  if (width === 32) return [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 0xffn).join(".");
  const groups: number[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(Number((bits >> shift) & 0xffffn));
  const hex = groups.map((group) => group.toString(16));
  if (isIPv4Mapped({ width, bits, zone: "" })) {
    return `::ffff:${formatAddress({ width: 32, bits: bits & 0xffffffffn, zone: "" })}`;
  }
  const { start, end } = longestZeros(groups);
  if (end - start < 2) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(end).join(":")}`;
}

/** The first longest run of zero groups. */
function longestZeros(groups: readonly number[]): { start: number; end: number } {
  let longest = { start: 0, end: 0 };
  for (let start = 0; start < groups.length; start++) {
    let end = start;
    while (groups[end] === 0) end++;
    if (end - start > longest.end - longest.start) longest = { start, end };
  }
  return longest;
}

export function formatPrefix({ address, length }: IpPrefix): string {
  return `${formatAddress(address)}/${length}`;
}

/** An IPv6 address that stands for an IPv4 one (`::ffff:1.2.3.4`). */
export function isIPv4Mapped({ width, bits }: IpAddress): boolean {
  return width === 128 && bits >> 32n === 0xffffn;
}

/** The prefix with all bits of the address beyond its length set to zero. */
export function maskPrefix({ address, length }: IpPrefix): IpPrefix {
  const cut = BigInt(address.width - length);
  return { address: { ...address, bits: (address.bits >> cut) << cut }, length };
}

/** Whether an address lies in a prefix; never so for another address family. */
export function prefixContains({ address, length }: IpPrefix, inner: IpAddress): boolean {
  if (address.width !== inner.width || inner.zone !== "") return false;
  const cut = BigInt(address.width - length);
  return address.bits >> cut === inner.bits >> cut;
}

// Which addresses are what: netip's methods of these names; RFC 1122 §3.2.1.3, RFC 3927, RFC 4291 §2.4 and §2.7.

export function isUnspecified({ bits }: IpAddress): boolean {
  return bits === 0n;
}

export function isLoopback({ width, bits }: IpAddress): boolean {
  return width === 32 ? bits >> 24n === 127n : bits === 1n;
}

export function isMulticast({ width, bits }: IpAddress): boolean {
  return width === 32 ? bits >> 28n === 0xen : bits >> 120n === 0xffn;
}

export function isLinkLocalMulticast({ width, bits }: IpAddress): boolean {
  return width === 32 ? bits >> 8n === 0xe00000n : ((bits >> 112n) & 0xff0fn) === 0xff02n;
}

export function isLinkLocalUnicast({ width, bits }: IpAddress): boolean {
  return width === 32 ? bits >> 16n === 0xa9fen : ((bits >> 112n) & 0xffc0n) === 0xfe80n;
}

/** Private ranges count as global here, as in Go. */
export function isGlobalUnicast(address: IpAddress): boolean {
  const { width, bits } = address;
  if (bits === 0n || (width === 32 && bits === 0xffffffffn)) return false;
  return !(isLoopback(address) || isMulticast(address) || isLinkLocalUnicast(address));
}
