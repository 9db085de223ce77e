/**
 * Rego's values. Input and data are plain JSON and used as they are, neither copied nor wrapped; only what a
 * policy makes itself (sets, and objects whose keys may be any value) has classes of its own.
 *
 * Reads of plain objects see own keys only, so `__proto__` and `constructor` are keys like any other.
 */
import { plainKeys, wideObject } from "../plain-keys.ts";
import { compareNumbers, compareStrings, type RegoNumber } from "./scalar-order.ts";
import { SortedOnce } from "./sorted-once.ts";
import { countWork } from "./work-meter.ts";

export { compareNumbers, compareStrings, integer, type RegoNumber } from "./scalar-order.ts";

/** A JSON object of the input or of data. */
export interface PlainObject {
  readonly [key: string]: RegoValue;
}

export type RegoScalar = null | boolean | RegoNumber | string;
export type RegoValue = RegoScalar | readonly RegoValue[] | PlainObject | RegoObject | RegoSet;
export type AnyObject = PlainObject | RegoObject;

/** Values nested deeper than this are refused by what walks them (comparison, keys, conversion). */
export const maxValueDepth = 1_000;

/** Thrown by what walks a value nested deeper than `maxValueDepth`. */
export class ValueDepthError extends Error {
  readonly code = "VALUE_TOO_DEEP";
  constructor() {
    super(`a value is nested more than ${maxValueDepth} levels deep`);
    this.name = "ValueDepthError";
  }
}

/** Called for every composite value that is walked into. */
export function enterValue(depth: number): void {
  countWork(1);
  if (depth >= maxValueDepth) throw new ValueDepthError();
}

export const isArray = (value: RegoValue): value is readonly RegoValue[] => Array.isArray(value);
export const isSet = (value: RegoValue): value is RegoSet => value instanceof RegoSet;
export const isNumber = (value: RegoValue): value is RegoNumber =>
  typeof value === "number" || typeof value === "bigint";

export function isObject(value: RegoValue): value is AnyObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof RegoSet);
}

export type TypeName = "null" | "boolean" | "number" | "string" | "array" | "object" | "set";

/** The name `type_name` and error messages use. */
export function typeName(value: RegoValue): TypeName {
  if (value === null) return "null";
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "boolean";
  if (typeof value === "number" || typeof value === "bigint") return "number";
  return isArray(value) ? "array" : isSet(value) ? "set" : "object";
}

/** What a Map tells apart as Rego does: scalars themselves, save that equal numbers have one representation. */
function scalarKey(value: RegoScalar): RegoScalar {
  if (typeof value === "number")
    return Number.isInteger(value) && !Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value === "bigint" && value >= -9007199254740991n && value <= 9007199254740991n)
    return Number(value);
  return value;
}

function isScalar(value: RegoValue): value is RegoScalar {
  return typeof value !== "object" || value === null;
}

/** A string that is the same for equal values and differs for others; linear in the value's size (times log). */
export function canonicalKey(value: RegoValue, depth = 0): string {
  if (typeof value === "string") {
    countWork(value.length >>> 4);
    return JSON.stringify(value);
  }
  if (isScalar(value)) return canonicalScalar(scalarKey(value));
  enterValue(depth);
  if (isArray(value)) return `[${canonicalKeys(value, depth + 1).join()}]`;
  if (isSet(value)) return `<${sorted(canonicalKeys(value, depth + 1), byUnits).join()}>`;
  const parts: string[] = [];
  for (const [key, item] of entriesOf(value)) {
    if (parts.length % membersPerCount === membersPerCount - 1) countWork(membersPerCount);
    parts.push(`${canonicalKey(key, depth + 1)}:${canonicalKey(item, depth + 1)}`);
  }
  return `{${sorted(parts, byUnits).join()}}`;
}

/** Digits of an integer of thousands of them take milliseconds, but for those to a base that is a power of two. */
function canonicalScalar(value: RegoScalar): string {
  if (typeof value !== "bigint") return String(value);
  const digits = value.toString(16);
  countWork(digits.length >>> 4);
  return `x${digits}`;
}

function canonicalKeys(values: Iterable<RegoValue>, depth: number): string[] {
  const keys: string[] = [];
  for (const value of values) {
    if (keys.length % membersPerCount === membersPerCount - 1) countWork(membersPerCount);
    keys.push(canonicalKey(value, depth));
  }
  return keys;
}

const byUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Members of a long collection that are counted together. */
const membersPerCount = 64;

/** Lists up to this length are sorted at once. */
const shortList = 1_024;
/** Comparisons counted together. */
const comparisons = 64;

/** Sorts a list in place. A long one is counted while it is sorted, a unit of work for four comparisons. */
export function sorted<T>(list: T[], compare: (a: T, b: T) => number): T[] {
  if (list.length <= shortList) return list.sort(compare);
  let made = 0;
  return list.sort((a, b) => {
    if (++made % comparisons === 0) countWork(comparisons / 4);
    return compare(a, b);
  });
}

/** Composite members up to which comparing with each is cheaper than making keys. */
const fewComposites = 8;

/** A set of Rego values. Iterates in the order of insertion; `sorted()` is Rego's order. */
export class RegoSet implements Iterable<RegoValue> {
  /** Set once it is the value of a rule: from then on it may be seen from more than one place. */
  isFrozen = false;
  // Made when first needed: most sets of a policy, of what is wrong, stay empty.
  #scalars: Map<RegoScalar, RegoScalar> | undefined;
  #composites: RegoValue[] | undefined;
  /** Keys of the composites, once they are more than a few. */
  #keys: Set<string> | undefined;
  #sorted: SortedOnce<RegoValue> | undefined;
  #items: readonly RegoValue[] | undefined;

  constructor(values?: Iterable<RegoValue>) {
    if (values === undefined) return;
    for (const value of values) {
      countWork(1);
      this.add(value);
    }
  }

  get size(): number {
    return (this.#scalars?.size ?? 0) + (this.#composites?.length ?? 0);
  }

  has(value: RegoValue): boolean {
    if (isScalar(value)) return this.#scalars?.has(scalarKey(value)) ?? false;
    if (this.#composites === undefined) return false;
    if (this.#keys) return this.#keys.has(canonicalKey(value));
    return this.#composites.some((member) => equalValues(member, value));
  }

  add(value: RegoValue): void {
    if (isScalar(value)) {
      const key = scalarKey(value);
      this.#scalars ??= new Map();
      if (this.#scalars.has(key)) return;
      this.#scalars.set(key, value);
    } else if (!this.#addComposite(value)) return;
    this.#sorted = undefined;
    this.#items = undefined;
  }

  #addComposite(value: RegoValue): boolean {
    this.#composites ??= [];
    const composites = this.#composites;
    if (!this.#keys) {
      if (this.has(value)) return false;
      composites.push(value);
      if (composites.length > fewComposites)
        this.#keys = new Set(composites.map((member) => canonicalKey(member)));
      return true;
    }
    const key = canonicalKey(value);
    if (this.#keys.has(key)) return false;
    this.#keys.add(key);
    composites.push(value);
    return true;
  }

  sorted(): readonly RegoValue[] {
    this.#sorted ??= new SortedOnce(() => sorted(this.members(), compareValues));
    return this.#sorted.list;
  }

  /** A new array, in the order of insertion. */
  members(): RegoValue[] {
    const composites = this.#composites ?? [];
    return this.#scalars === undefined ? [...composites] : [...this.#scalars.values(), ...composites];
  }

  /** As `members`, not to be changed: kept where no member can come any more. */
  items(): readonly RegoValue[] {
    if (!this.isFrozen) return this.members();
    this.#items ??= this.members();
    return this.#items;
  }

  [Symbol.iterator](): Iterator<RegoValue> {
    return this.items()[Symbol.iterator]();
  }
}

/** An object a policy made: keys may be any value. Mutable while it is built, treated as immutable afterwards. */
export class RegoObject {
  /** Set once it is the value of a rule: from then on it may be seen from more than one place. */
  isFrozen = false;
  #scalars: Map<RegoScalar, readonly [RegoValue, RegoValue]> | undefined;
  #composites: Map<string, readonly [RegoValue, RegoValue]> | undefined;
  #sorted: SortedOnce<RegoValue> | undefined;

  constructor(entries?: Iterable<readonly [RegoValue, RegoValue]>) {
    if (entries === undefined) return;
    for (const [key, value] of entries) {
      countWork(1);
      this.set(key, value);
    }
  }

  get size(): number {
    return (this.#scalars?.size ?? 0) + (this.#composites?.size ?? 0);
  }

  get(key: RegoValue): RegoValue | undefined {
    if (isScalar(key)) return this.#scalars?.get(scalarKey(key))?.[1];
    return this.#composites?.get(canonicalKey(key))?.[1];
  }

  has(key: RegoValue): boolean {
    return this.get(key) !== undefined;
  }

  set(key: RegoValue, value: RegoValue): void {
    this.#sorted = undefined;
    if (isScalar(key)) {
      this.#scalars ??= new Map();
      this.#scalars.set(scalarKey(key), [key, value]);
      return;
    }
    this.#composites ??= new Map();
    this.#composites.set(canonicalKey(key), [key, value]);
  }

  /** A new array, in the order of insertion. */
  keys(): RegoValue[] {
    return Array.from(this.entries(), ([key]) => key);
  }

  /** In order of insertion. */
  *entries(): Generator<readonly [RegoValue, RegoValue]> {
    if (this.#scalars) yield* this.#scalars.values();
    if (this.#composites) yield* this.#composites.values();
  }

  sortedKeys(): readonly RegoValue[] {
    this.#sorted ??= new SortedOnce(() => sorted(this.keys(), compareValues));
    return this.#sorted.list;
  }
}

/** The value under a key, of either kind of object; undefined where there is none. */
export function getKey(object: AnyObject, key: RegoValue): RegoValue | undefined {
  if (object instanceof RegoObject) return object.get(key);
  return typeof key === "string" && Object.hasOwn(object, key) ? object[key] : undefined;
}

export function sizeOf(object: AnyObject): number {
  return object instanceof RegoObject ? object.size : plainKeys(object).length;
}

/** Entries in no particular order. */
export function entriesOf(object: AnyObject): Iterable<readonly [RegoValue, RegoValue]> {
  if (object instanceof RegoObject) return object.entries();
  const keys = plainKeys(object);
  return keys.length < wideObject ? Object.entries(object) : wideEntries(object, keys);
}

/** To list the entries of a wide object at once takes far longer than to look at them one by one. */
function* wideEntries(
  object: PlainObject,
  keys: readonly string[],
): Generator<readonly [RegoValue, RegoValue]> {
  let at = 0;
  for (const key of keys) {
    if (at++ % membersPerCount === 0) countWork(membersPerCount / 4);
    yield [key, object[key] ?? null];
  }
}

/** Keys in Rego's order. */
export function sortedKeysOf(object: AnyObject): readonly RegoValue[] {
  if (object instanceof RegoObject) return object.sortedKeys();
  const keys = plainKeys(object);
  if (keys.length < wideObject) return sorted([...keys], compareStrings);
  const known = sortedKeys.get(object);
  if (known !== undefined) return known.list;
  const once = new SortedOnce(() => sorted([...keys], compareStrings));
  sortedKeys.set(object, once);
  return once.list;
}

/** Of wide objects, each of which is sorted once. */
const sortedKeys = new WeakMap<PlainObject, SortedOnce<string>>();

const rank = { null: 0, boolean: 1, number: 2, string: 3, array: 4, object: 5, set: 6 } satisfies Record<
  TypeName,
  number
>;

/**
 * Rego's total order (OPA's v1/ast Compare): negative, zero or positive. Kinds order as null, boolean, number,
 * string, array, object, set; objects and sets compare by their sorted entries. Fit for `Array.sort`.
 */
export function compareValues(a: RegoValue, b: RegoValue): number {
  return compareNested(a, b, 0);
}

function compareNested(a: RegoValue, b: RegoValue, depth: number): number {
  if (a === b) return 0;
  if (typeof a === "string" && typeof b === "string") return compareStrings(a, b);
  if (isNumber(a) && isNumber(b)) return compareNumbers(a, b);
  if (typeof a === "boolean" && typeof b === "boolean") return a ? 1 : -1;
  enterValue(depth);
  if (isScalar(a) || isScalar(b)) return rank[typeName(a)] - rank[typeName(b)];
  if (isArray(a) && isArray(b)) return compareLists(a, b, depth);
  if (isSet(a) && isSet(b)) return compareLists(a.sorted(), b.sorted(), depth);
  if (isObject(a) && isObject(b)) return compareObjects(a, b, depth);
  return rank[typeName(a)] - rank[typeName(b)];
}

function compareLists(a: readonly RegoValue[], b: readonly RegoValue[], depth: number): number {
  const shared = Math.min(a.length, b.length);
  for (let at = 0; at < shared; at++) {
    const order = compareNested(a[at] ?? null, b[at] ?? null, depth + 1);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareObjects(a: AnyObject, b: AnyObject, depth: number): number {
  const left = sortedKeysOf(a);
  const right = sortedKeysOf(b);
  const shared = Math.min(left.length, right.length);
  for (let at = 0; at < shared; at++) {
    const leftKey = left[at] ?? null;
    const rightKey = right[at] ?? null;
    const order =
      compareNested(leftKey, rightKey, depth + 1) ||
      compareNested(getKey(a, leftKey) ?? null, getKey(b, rightKey) ?? null, depth + 1);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

/** Equality without sorting: as `compareValues(a, b) === 0`, but linear. */
export function equalValues(a: RegoValue, b: RegoValue): boolean {
  return equalNested(a, b, 0);
}

function equalNested(a: RegoValue, b: RegoValue, depth: number): boolean {
  if (a === b) return true;
  if (isScalar(a) || isScalar(b)) return isNumber(a) && isNumber(b) && compareNumbers(a, b) === 0;
  enterValue(depth);
  if (isArray(a)) return isArray(b) && equalArrays(a, b, depth);
  if (isSet(a)) return isSet(b) && equalSets(a, b);
  return isObject(b) && equalObjects(a, b, depth);
}

function equalArrays(a: readonly RegoValue[], b: readonly RegoValue[], depth: number): boolean {
  return a.length === b.length && a.every((item, at) => equalNested(item, b[at] ?? null, depth + 1));
}

function equalSets(a: RegoSet, b: RegoSet): boolean {
  if (a.size !== b.size) return false;
  for (const item of a) if (!b.has(item)) return false;
  return true;
}

function equalObjects(a: AnyObject, b: AnyObject, depth: number): boolean {
  if (sizeOf(a) !== sizeOf(b)) return false;
  for (const [key, item] of entriesOf(a)) {
    const other = getKey(b, key);
    if (other === undefined || !equalNested(item, other, depth + 1)) return false;
  }
  return true;
}
