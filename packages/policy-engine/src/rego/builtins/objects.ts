/** `object.*` (OPA's v1/topdown/object.go and subset.go). */
import {
  type AnyObject,
  entriesOf,
  equalValues,
  getKey,
  isArray,
  isObject,
  isSet,
  maxValueDepth,
  RegoObject,
  RegoSet,
  type RegoValue,
  sizeOf,
  ValueDepthError,
} from "../values.ts";
import { countWork } from "../work-meter.ts";
import { type Builtin, type BuiltinContext, BuiltinError } from "./contract.ts";
import { refuseManyElements } from "./limits.ts";
import {
  arrayOperand,
  builtin,
  freeBuiltin,
  objectOperand,
  operand,
  wrongElement,
  wrongType,
} from "./operands.ts";

/** The right side wins; objects on both sides are merged. */
function merged(left: AnyObject, right: AnyObject, context: BuiltinContext, depth = 0): AnyObject {
  if (depth >= maxValueDepth) {
    throw new ValueDepthError();
  }
  if (sizeOf(left) === 0) {
    return right;
  }
  if (sizeOf(right) === 0) {
    return left;
  }
  context.spend(sizeOf(left) + sizeOf(right));
  const result = new RegoObject(entriesOf(left));
  for (const [key, value] of entriesOf(right)) {
    const before = result.get(key);
    const both = before !== undefined && isObject(before) && isObject(value);
    result.set(key, both ? merged(before, value, context, depth + 1) : value);
  }
  refuseManyElements(result.size);
  return result;
}

function unionAll(args: readonly RegoValue[], context: BuiltinContext): RegoValue {
  const list = arrayOperand(args, 1);
  let result: AnyObject = {};
  for (const item of list) {
    if (!isObject(item)) {
      throw wrongElement(1, list, item, "object");
    }
    result = merged(result, item, context);
  }
  return result;
}

/** The keys an array, a set or an object's own keys name. */
function keysOperand(args: readonly RegoValue[]): RegoSet {
  const value = operand(args, 2);
  if (isSet(value)) {
    return value;
  }
  if (isArray(value)) {
    return new RegoSet(value);
  }
  if (isObject(value)) {
    return keysOf(value);
  }
  throw wrongType(2, value, "object", "set", "array");
}

function keysOf(object: AnyObject): RegoSet {
  const keys = new RegoSet();
  for (const [key] of entriesOf(object)) {
    countWork(1);
    keys.add(key);
  }
  return keys;
}

/** The entries whose key is among some keys, or is not. */
function selected(args: readonly RegoValue[], context: BuiltinContext, wanted: boolean): RegoObject {
  const object = objectOperand(args, 1);
  const keys = keysOperand(args);
  const result = new RegoObject();
  for (const [key, value] of entriesOf(object)) {
    context.spend(1);
    if (keys.has(key) === wanted) {
      result.set(key, value);
    }
  }
  return result;
}

/** One step into a value, as a reference takes it. */
export function child(value: RegoValue, key: RegoValue): RegoValue | undefined {
  if (isArray(value)) {
    return typeof key === "number" && Number.isSafeInteger(key) && key >= 0 ? value[key] : undefined;
  }
  if (isSet(value)) {
    return value.has(key) ? key : undefined;
  }
  return isObject(value) ? getKey(value, key) : undefined;
}

function get(args: readonly RegoValue[], context: BuiltinContext): RegoValue {
  const object = objectOperand(args, 1);
  const path = operand(args, 2);
  const fallback = operand(args, 3);
  if (!isArray(path)) {
    const value = getKey(object, path);
    return value === undefined ? fallback : value;
  }
  context.spend(path.length);
  let value: RegoValue | undefined = object;
  for (const key of path) {
    value = value === undefined ? undefined : child(value, key);
  }
  // JSON's null is a value; only a missing one falls back.
  return value === undefined ? fallback : value;
}

function isObjectSubset(
  superset: AnyObject,
  subset: AnyObject,
  context: BuiltinContext,
  depth: number,
): boolean {
  context.spend(sizeOf(subset));
  for (const [key, value] of entriesOf(subset)) {
    context.spend(1);
    const other = getKey(superset, key);
    if (
      other === undefined ||
      !(equalValues(other, value) || (isSubset(other, value, context, depth + 1) ?? false))
    ) {
      return false;
    }
  }
  return true;
}

function isSetSubset(superset: RegoSet, subset: RegoSet): boolean {
  for (const item of subset) {
    countWork(1);
    if (!superset.has(item)) {
      return false;
    }
  }
  return true;
}

/** Whether one array is a contiguous part of another. */
function isPart(whole: readonly RegoValue[], part: readonly RegoValue[], context: BuiltinContext): boolean {
  for (let start = 0; start + part.length <= whole.length; start += 1) {
    let matched = 0;
    while (matched < part.length && equalValues(whole[start + matched] ?? null, part[matched] ?? null)) {
      matched += 1;
    }
    context.spend(matched + 1);
    if (matched === part.length) {
      return true;
    }
  }
  return false;
}

/** Undefined when the two are not of types that compare. Arrays count in order here, members of sets do not. */
function isSubset(
  superset: RegoValue,
  subset: RegoValue,
  context: BuiltinContext,
  depth: number,
): boolean | undefined {
  if (depth >= maxValueDepth) {
    throw new ValueDepthError();
  }
  if (isSet(superset) && isSet(subset)) {
    return isSetSubset(superset, subset);
  }
  if (isArray(superset)) {
    return isArray(subset) ? isPart(superset, subset, context) : undefined;
  }
  return isObject(superset) && isObject(subset)
    ? isObjectSubset(superset, subset, context, depth)
    : undefined;
}

function subset(args: readonly RegoValue[], context: BuiltinContext): boolean {
  const superset = operand(args, 1);
  const part = operand(args, 2);
  if (isArray(superset) && isSet(part)) {
    // As in OPA an array with elements holds the empty set, an empty one does not.
    return superset.length > 0 && isSetSubset(new RegoSet(superset), part);
  }
  const result = isSubset(superset, part, context, 0);
  if (result === undefined) {
    throw new BuiltinError(
      "eval_type_error",
      "both arguments object.subset must be of the same type or array and set",
    );
  }
  return result;
}

export const objectBuiltins: readonly Builtin[] = [
  builtin("object.union", 2, (args, context) =>
    merged(objectOperand(args, 1), objectOperand(args, 2), context),
  ),
  builtin("object.union_n", 1, unionAll),
  builtin("object.remove", 2, (args, context) => selected(args, context, false)),
  builtin("object.filter", 2, (args, context) => selected(args, context, true)),
  freeBuiltin("object.get", 3, get),
  builtin("object.keys", 1, (args, context) => {
    const object = objectOperand(args, 1);
    context.spend(sizeOf(object));
    return keysOf(object);
  }),
  builtin("object.subset", 2, subset),
];
