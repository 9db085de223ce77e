/** `net.*`: CIDR blocks (OPA's v1/topdown/cidr.go) and name lookup, which only the caller can allow. */
import { entriesOf, isArray, isObject, isSet, RegoSet, type RegoValue, sorted } from "../values.ts";
import { countWork } from "../work-meter.ts";
import type { Builtin, BuiltinContext } from "./contract.ts";
import {
  type Address,
  addressText,
  containsAddress,
  containsNetwork,
  type Family,
  familyBits,
  hostMask,
  lastOf,
  mappedValue,
  type Network,
  parseAddress,
  parseNetwork,
  unmapped,
} from "./go/ip-address.ts";
import { refuseManyElements } from "./limits.ts";
import { asText, builtin, failure, listOf, operand, textOperand } from "./operands.ts";

function networkOf(text: string): Network {
  const network = parseNetwork(text);
  if (network === undefined) {
    throw failure(`invalid CIDR address: ${text}`);
  }
  return network;
}

function contains(cidr: string, other: RegoValue): boolean {
  const outer = networkOf(cidr);
  const text = asText(other, 1);
  const address = parseAddress(text);
  if (address !== undefined) {
    return containsAddress(outer, address);
  }
  const inner = parseNetwork(text);
  if (inner === undefined) {
    throw failure(`not a valid textual representation of an IP address or CIDR: ${text}`);
  }
  return containsNetwork(outer, inner);
}

function intersects(left: Network, right: Network): boolean {
  return (
    containsAddress(left, { family: right.family, value: right.base }) ||
    containsAddress(right, { family: left.family, value: left.base })
  );
}

/** A block, and how the result names it: by key, by index, or by the element itself. */
type Indexed = readonly [cidr: RegoValue, index: RegoValue];

function blockOf(element: RegoValue, position: number): RegoValue {
  if (typeof element === "string") {
    return element;
  }
  const first = isArray(element) ? element[0] : undefined;
  if (first === undefined) {
    throw failure(`operand ${position}: element must be string or non-empty array`);
  }
  return first;
}

function indexedBlocks(value: RegoValue, position: number): readonly Indexed[] {
  if (typeof value === "string") {
    return [[value, value]];
  }
  if (isArray(value)) {
    return value.map((element, index) => [blockOf(element, position), index]);
  }
  if (isSet(value)) {
    return value.sorted().map((element) => [blockOf(element, position), element]);
  }
  return isObject(value)
    ? Array.from(entriesOf(value), ([key, element]) => [blockOf(element, position), key] as const)
    : [];
}

function containsMatches(args: readonly RegoValue[], context: BuiltinContext): RegoSet {
  const result = new RegoSet();
  const outers = indexedBlocks(operand(args, 1), 1);
  if (outers.length === 0) {
    return result;
  }
  const inners = indexedBlocks(operand(args, 2), 2);
  context.spend(outers.length * inners.length * 2);
  for (const [outer, outerIndex] of outers) {
    for (const [inner, innerIndex] of inners) {
      if (contains(asText(outer, 1), inner)) {
        result.add([outerIndex, innerIndex]);
        refuseManyElements(result.size);
      }
    }
  }
  return result;
}

function expand(args: readonly RegoValue[], context: BuiltinContext): RegoSet {
  const network = networkOf(textOperand(args, 1));
  const count = hostMask(network.family, network.prefix) + 1n;
  refuseManyElements(Number(count));
  context.spend(Number(count));
  const result = new RegoSet();
  for (let offset = 0n; offset < count; offset += 1n) {
    countWork(addressWork);
    result.add(addressText({ family: network.family, value: network.base + offset }));
  }
  return result;
}

/** Addresses from first to last in the 128-bit order; `text` is how the block was given, until it is merged. */
interface Range {
  readonly first: bigint;
  readonly last: bigint;
  readonly text: string | undefined;
}

function rangeOf(network: Network, shown: Address): Range {
  return {
    first: mappedValue(network.family, network.base),
    last: mappedValue(network.family, lastOf(network)),
    text: `${addressText(shown)}/${network.prefix}`,
  };
}

/** The prefix of an IPv4 address' historical class (net.IP.DefaultMask). */
function classPrefix(address: bigint): number {
  const first = address >> 24n;
  return first < 0x80n ? 8 : first < 0xc0n ? 16 : 24;
}

/** What reading or writing an address takes, in units of work. */
const addressWork = 16;

function mergeInput(element: RegoValue): Range {
  countWork(addressWork);
  if (typeof element !== "string") {
    throw failure("element must be string");
  }
  const parsed = parseAddress(element);
  if (parsed === undefined) {
    const network = networkOf(element);
    return rangeOf(network, { family: network.family, value: network.base });
  }
  const address = unmapped(parsed);
  if (address.family === 6) {
    throw failure("IPv6 invalid: needs prefix length");
  }
  const prefix = classPrefix(address.value);
  return rangeOf({ family: 4, base: address.value & ~hostMask(4, prefix), prefix }, address);
}

const FIRST_OF_FAMILY: ReadonlySet<bigint> = new Set([0n, mappedValue(4, 0n)]);

const compareBigInts = (left: bigint, right: bigint) => (left < right ? -1 : left > right ? 1 : 0);

function mergeRanges(ranges: readonly Range[]): readonly Range[] {
  const ordered = sorted(
    [...ranges],
    (left, right) => compareBigInts(left.last, right.last) || compareBigInts(left.first, right.first),
  );
  const merged: Range[] = [];
  let current = ordered.pop();
  while (current !== undefined) {
    const before: Range | undefined = ordered.pop();
    const previous = FIRST_OF_FAMILY.has(current.first) ? current.first : current.first - 1n;
    if (before !== undefined && previous <= before.last) {
      const first = before.first < current.first ? before.first : current.first;
      current = { first, last: current.last, text: undefined };
      continue;
    }
    merged.push(current);
    current = before;
  }
  return merged;
}

/** The fewest blocks that cover a range. */
function blocksOf(range: Range): readonly string[] {
  const mapped = unmapped({ family: 6, value: range.first });
  const family: Family = mapped.family;
  const offset = range.first - mapped.value;
  const bits = familyBits(family);
  const blocks: string[] = [];
  let first = mapped.value;
  const last = range.last - offset;
  while (first <= last) {
    let open = 0;
    while (
      open < bits &&
      (first >> BigInt(open)) % 2n === 0n &&
      first + (1n << BigInt(open + 1)) - 1n <= last
    ) {
      open += 1;
    }
    blocks.push(`${addressText({ family, value: first })}/${bits - open}`);
    first += 1n << BigInt(open);
  }
  return blocks;
}

function merge(args: readonly RegoValue[], context: BuiltinContext): RegoSet {
  const list = listOf(operand(args, 1));
  if (list === undefined) {
    throw failure("operand must be an array");
  }
  context.spend(list.length * 4);
  const result = new RegoSet();
  for (const range of mergeRanges(list.map(mergeInput))) {
    countWork(addressWork);
    for (const block of range.text === undefined ? blocksOf(range) : [range.text]) {
      result.add(block);
    }
  }
  return result;
}

function lookup(args: readonly RegoValue[], context: BuiltinContext): RegoSet {
  const host = textOperand(args, 1);
  if (context.lookup === undefined || !context.allowedHosts.includes(host)) {
    throw failure(`unallowed host: ${host}`);
  }
  const key = `net.lookup_ip_addr:${host}`;
  const known = context.queryCache.get(key);
  if (known instanceof RegoSet) {
    return known;
  }
  const addresses = new RegoSet(context.lookup(host));
  context.queryCache.set(key, addresses);
  return addresses;
}

const containsCall = (args: readonly RegoValue[]) => contains(textOperand(args, 1), operand(args, 2));

export const networkBuiltins: readonly Builtin[] = [
  builtin("net.cidr_contains", 2, containsCall),
  builtin("net.cidr_overlap", 2, containsCall),
  builtin("net.cidr_contains_matches", 2, containsMatches),
  builtin("net.cidr_intersects", 2, (args) =>
    intersects(networkOf(textOperand(args, 1)), networkOf(textOperand(args, 2, 1))),
  ),
  builtin("net.cidr_expand", 1, expand),
  builtin("net.cidr_is_valid", 1, (args) => {
    const value = operand(args, 1);
    return typeof value === "string" && parseNetwork(value) !== undefined;
  }),
  builtin("net.cidr_merge", 1, merge),
  builtin("net.lookup_ip_addr", 1, lookup),
];
