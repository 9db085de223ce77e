import { codePointLength } from "../code-points.ts";
import { mapEntries } from "../maps.ts";
import { regexCost, traversalCost } from "../size.ts";
import { type CelValue, isMap } from "../values.ts";
import { spend } from "../work.ts";
import { FormatValue } from "./format-value.ts";
import { byteLength } from "./go-strings.ts";
import { IpValue, PrefixValue } from "./network-values.ts";

/**
 * What a call costs at run time, by apiserver's pkg/cel/library/cost.go (`CostEstimator.CallCost`). It knows
 * functions by name, so it also prices functions of cel-go's string library, differently from cel-go itself.
 */
export type CallCost = (args: readonly CelValue[], result: CelValue) => number;

/** A check asks the authorizer; two of them are all that a call's budget of 1,000,000 has room for. */
const authorizationCheckCost = 350_000;

const nominal: CallCost = () => 1;

/** Size of the argument as the server counts it: code points of a string, bytes of an address, 1 for the rest. */
function size(value: CelValue | undefined): number {
  if (typeof value === "string") return codePointLength(value);
  if (Array.isArray(value)) return value.length;
  if (value instanceof IpValue) return value.address.width / 8;
  if (value instanceof PrefixValue) return Math.ceil(value.prefix.length / 8);
  return 1;
}

const readOnce: CallCost = ([text]) => traversalCost(size(text));
const readTwice: CallCost = ([text]) => traversalCost(size(text), 2);

/** A selector is split into requirements: one for every two characters, each a struct (40) and a list (10) in a list (10). */
const selectorCost: CallCost = ([, selector]) => {
  const length = size(selector);
  return 10 + traversalCost(length) + Math.ceil(length * 0.5) * 50;
};

/** The cost of going through a value to its leaves (cost.go `traversalCost`): strings count bytes here. */
const visitAll: CallCost = ([value]) => visit(value ?? null, 0);

/** Deeper values are not compared either (equality.ts), so what lies below adds nothing. */
const maxDepth = 1000;

function visit(value: CelValue, depth: number): number {
  spend(1);
  if (typeof value === "string") return Math.trunc(byteLength(value) * 0.1);
  if (value instanceof Uint8Array) return Math.trunc(value.length * 0.1);
  if (depth > maxDepth) return 1;
  let cost = 0;
  if (Array.isArray(value)) {
    for (const item of value as readonly CelValue[]) cost += visit(item, depth + 1);
    return cost;
  }
  if (typeof value !== "object" || value === null || !isMap(value)) return 1;
  for (const [key, item] of mapEntries(value)) cost += visit(key, depth + 1) + visit(item, depth + 1);
  return cost;
}

const containsAddress: CallCost = ([prefix]) => traversalCost(size(prefix), 2);
const containsAddressText: CallCost = ([prefix, text]) =>
  traversalCost(size(prefix), 2) + traversalCost(size(text));
const containsPrefix: CallCost = ([prefix]) =>
  traversalCost(size(prefix), 2) + traversalCost(size(prefix)) + 1;
const containsPrefixText: CallCost = ([prefix, text]) =>
  traversalCost(size(prefix), 2) + traversalCost(size(prefix)) + 1 + traversalCost(size(text));

const search: CallCost = ([text, pattern]) => regexCost(size(text), size(pattern));

const validation: CallCost = ([format, text]) =>
  format instanceof FormatValue ? regexCost(size(text), format.format.regexSize) : 1;

/** cel-go ext/sets.go `trackSetsCost`: every element of one list may be compared with every one of the other. */
const setCost =
  (factor: number): CallCost =>
  ([left, right]) =>
    1 + size(left) * size(right) * factor;

const byName: ReadonlyMap<string, CallCost> = new Map([
  ["check", () => authorizationCheckCost],
  ...named(nominal, "serviceAccount path group resource subresource namespace name"),
  ...named(nominal, "allowed reason error errored"),
  ...named(selectorCost, "fieldSelector labelSelector"),
  ...named(visitAll, "isSorted sum max min indexOf lastIndexOf includes"),
  ...named(readOnce, "url lowerAscii upperAscii substring trim jsonpatch.escapeKey"),
  ...named(readOnce, "cidr isIP isCIDR ip quantity isQuantity semver isSemver"),
  ...named(readTwice, "replace split ip.isCanonical"),
  ["join", (_, result) => traversalCost(size(result), 2)],
  ...named(search, "find findAll"),
  ["validate", validation],
]);

const byOverload: ReadonlyMap<string, CallCost> = new Map([
  ["cidr_ip", nominal],
  ["cidr_contains_ip_string", containsAddressText],
  ["cidr_contains_ip_ip", containsAddress],
  ["cidr_contains_cidr_string", containsPrefixText],
  ["cidr_contains_cidr", containsPrefix],
  ["list_sets_contains_list", setCost(1)],
  ["list_sets_intersects_list", setCost(1)],
  ["list_sets_equivalent_list", setCost(2)],
]);

function named(cost: CallCost, names: string): [string, CallCost][] {
  return names.split(" ").map((name) => [name, cost]);
}

/**
 * The cost function of an overload; undefined for calls that Kubernetes leaves to cel-go's rules. Also for
 * functions of other libraries: an environment that follows the API server gives these costs to cel-go's string
 * functions.
 */
export function kubernetesCost(functionName: string, overloadId: string): CallCost | undefined {
  return byOverload.get(overloadId) ?? byName.get(functionName);
}
