import { CelError } from "../errors.ts";
import type { FunctionDeclaration, Library } from "../library.ts";
import { isNumeric } from "../numbers.ts";
import { compare } from "../ordering.ts";
import { add } from "../standard/arithmetic.ts";
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listType,
  STRING,
  TIMESTAMP,
  typeParam,
  UINT,
} from "../types.ts";
import { CelDuration, CelTimestamp, CelUint, type CelValue, isList, makeDouble } from "../values.ts";
import { methods, shape } from "./declare.ts";
import { noSuchOverload } from "./kubernetes-types.ts";
import { isSame } from "./search.ts";

/** apiserver's pkg/cel/library/lists.go. */

const comparable: readonly (readonly [string, CelType])[] = [
  ["int", INT],
  ["uint", UINT],
  ["double", DOUBLE],
  ["bool", BOOL],
  ["duration", DURATION],
  ["timestamp", TIMESTAMP],
  ["string", STRING],
  ["bytes", BYTES],
];

const summable: readonly (readonly [string, CelType, CelValue])[] = [
  ["int", INT, 0],
  ["uint", UINT, new CelUint(0n)],
  ["double", DOUBLE, makeDouble(0)],
  ["duration", DURATION, new CelDuration(0n)],
];

function asList(value: CelValue): readonly CelValue[] {
  if (!isList(value)) throw noSuchOverload();
  return value;
}

/** Whether a value has an order at all. */
function isComparable(value: CelValue): boolean {
  if (typeof value === "string" || typeof value === "boolean" || isNumeric(value)) return true;
  return value instanceof Uint8Array || value instanceof CelDuration || value instanceof CelTimestamp;
}

/**
 * Whether `a` comes after `b`, or before it for `sign` -1. Two comparable values without an order between them
 * (NaN, or an int and a string) are taken as being in order, not as an error.
 */
function isOrdered(a: CelValue, b: CelValue, sign: 1 | -1): boolean {
  try {
    return Math.sign(compare(a, b, "")) === sign;
  } catch (error) {
    if (error instanceof CelError) return false;
    throw error;
  }
}

function* comparableItems(list: CelValue): Generator<CelValue> {
  for (const item of asList(list)) {
    if (!isComparable(item)) throw noSuchOverload();
    yield item;
  }
}

function isSorted(list: CelValue): boolean {
  let previous: CelValue | undefined;
  for (const item of comparableItems(list)) {
    if (previous !== undefined && isOrdered(previous, item, 1)) return false;
    previous = item;
  }
  return true;
}

/** The least or greatest element, the first of equal ones. */
function extreme(name: "min" | "max", list: CelValue): CelValue {
  let found: CelValue | undefined;
  for (const item of comparableItems(list)) {
    if (found === undefined || isOrdered(found, item, name === "min" ? 1 : -1)) found = item;
  }
  if (found === undefined) throw new CelError(`${name} called on empty list`);
  return found;
}

function indexOf(list: CelValue, item: CelValue): number {
  return asList(list).findIndex((candidate) => isSame(candidate, item));
}

function lastIndexOf(list: CelValue, item: CelValue): number {
  return asList(list).findLastIndex((candidate) => isSame(candidate, item));
}

function includes(target: CelValue, item: CelValue): boolean {
  return isList(target) ? target.some((candidate) => isSame(candidate, item)) : isSame(target, item);
}

const T = typeParam("A");

const listFunctions: readonly FunctionDeclaration[] = [
  methods(
    "isSorted",
    ...comparable.map(([name, type]) =>
      shape(`list_${name}_is_sorted_bool`, [listType(type)], BOOL, (list = null) => isSorted(list)),
    ),
  ),
  methods(
    "sum",
    ...summable.map(([name, type, zero]) =>
      shape(`list_${name}_sum_${name}`, [listType(type)], type, (list = null) =>
        asList(list).reduce((total, item) => add(total, item), zero),
      ),
    ),
  ),
  ...(["min", "max"] as const).map((name) =>
    methods(
      name,
      ...comparable.map(([typeName, type]) =>
        shape(`list_${typeName}_${name}_${typeName}`, [listType(type)], type, (list = null) =>
          extreme(name, list),
        ),
      ),
    ),
  ),
  methods(
    "indexOf",
    shape("list_a_index_of_int", [listType(T), T], INT, (list = null, item = null) => indexOf(list, item)),
  ),
  methods(
    "lastIndexOf",
    shape("list_a_last_index_of_int", [listType(T), T], INT, (list = null, item = null) =>
      lastIndexOf(list, item),
    ),
  ),
];

export const listsLibrary: Library = { name: "kubernetes.lists", functions: listFunctions };

/** What version 1 of the lists library adds. */
export const listIncludesLibrary: Library = {
  name: "kubernetes.lists.includes",
  functions: [
    methods(
      "includes",
      shape("list_includes_dyn_dyn", [DYN, DYN], BOOL, (target = null, item = null) =>
        includes(target, item),
      ),
    ),
  ],
};
