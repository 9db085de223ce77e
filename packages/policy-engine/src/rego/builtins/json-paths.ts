/**
 * `json.filter` and `json.remove`: parts of a document by paths (OPA's v1/topdown/json.go). A path is an array
 * of keys or a JSON pointer (RFC 6901) whose leading slashes may be missing.
 */
import {
  type AnyObject,
  entriesOf,
  getKey,
  isArray,
  isObject,
  isSet,
  RegoObject,
  RegoSet,
  type RegoValue,
  typeName,
} from "../values.ts";
import { type Builtin, type BuiltinContext, LimitError } from "./contract.ts";
import { builtin, listOf, objectOperand, operand, operandError, wrongType } from "./operands.ts";

/** Keys of one path; deeper documents cannot be. */
const maxPathLength = 1_000;

function unescapePointer(segment: string): string {
  return segment.includes("~") ? segment.replaceAll("~1", "/").replaceAll("~0", "~") : segment;
}

/** The keys of a path. */
export function parsePath(path: RegoValue): readonly RegoValue[] {
  const keys = pathKeys(path);
  if (keys.length > maxPathLength) {
    throw new LimitError(`a path has more than ${maxPathLength} segments`);
  }
  return keys;
}

function pathKeys(path: RegoValue): readonly RegoValue[] {
  if (isArray(path)) {
    return path;
  }
  if (typeof path !== "string") {
    throw operandError(
      2,
      `must be one of {set, array} containing string paths or array of path segments but got ${typeName(path)}`,
    );
  }
  if (path === "") {
    return [];
  }
  let start = 0;
  while (path[start] === "/") {
    start += 1;
  }
  return path.slice(start).split("/").map(unescapePointer);
}

function pathsOperand(args: readonly RegoValue[]): readonly (readonly RegoValue[])[] {
  const value = operand(args, 2);
  const list = listOf(value);
  if (list === undefined) {
    throw wrongType(2, value, "set", "array");
  }
  return list.map(parsePath);
}

/** Paths as a tree: an inner object per key, null where a path ends. */
function pathTree(paths: readonly (readonly RegoValue[])[], context: BuiltinContext): RegoObject {
  const root = new RegoObject();
  for (const path of paths) {
    context.spend(path.length + 1);
    insertPath(root, path);
  }
  return root;
}

function insertPath(root: RegoObject, path: readonly RegoValue[]): void {
  let node = root;
  for (const [index, key] of path.entries()) {
    if (index === path.length - 1) {
      node.set(key, null);
      return;
    }
    const next = node.get(key);
    if (next === null) {
      return;
    }
    if (next instanceof RegoObject) {
      node = next;
      continue;
    }
    const created = new RegoObject();
    node.set(key, created);
    node = created;
  }
}

/** The value without what the tree names; undefined when it is named itself. */
function without(
  value: RegoValue,
  tree: RegoValue | undefined,
  context: BuiltinContext,
): RegoValue | undefined {
  if (tree === null) {
    return undefined;
  }
  if (!(tree instanceof RegoObject) || typeof value !== "object" || value === null) {
    return value;
  }
  if (isArray(value)) {
    context.spend(value.length);
    return value
      .map((item, index) => without(item, tree.get(String(index)), context))
      .filter((item) => item !== undefined);
  }
  if (isSet(value)) {
    context.spend(value.size);
    const kept = new RegoSet();
    for (const item of value) {
      const rest = without(item, tree.get(item), context);
      if (rest !== undefined) {
        kept.add(rest);
      }
    }
    return kept;
  }
  const kept = new RegoObject();
  for (const [key, item] of entriesOf(value)) {
    const rest = without(item, tree.get(key), context);
    if (rest !== undefined) {
      kept.set(key, rest);
    }
  }
  context.spend(kept.size);
  return kept;
}

/** Only what the tree names (v1/ast filterObject). */
function only(value: RegoValue, tree: RegoValue, context: BuiltinContext): RegoValue {
  if (tree === null || !(tree instanceof RegoObject) || typeof value !== "object" || value === null) {
    return value;
  }
  if (isArray(value)) {
    context.spend(value.length);
    return value.flatMap((item, index) => {
      const part = tree.get(String(index));
      return part === undefined ? [] : [only(item, part, context)];
    });
  }
  if (isSet(value)) {
    context.spend(value.size);
    const kept = new RegoSet();
    for (const item of value) {
      const part = tree.get(item);
      if (part !== undefined) {
        kept.add(only(item, part, context));
      }
    }
    return kept;
  }
  return isObject(value) ? onlyEntries(value, tree, context) : value;
}

function onlyEntries(value: AnyObject, tree: RegoObject, context: BuiltinContext): RegoObject {
  const kept = new RegoObject();
  for (const [key, part] of tree.entries()) {
    context.spend(1);
    const item = getKey(value, key);
    if (item !== undefined) {
      kept.set(key, only(item, part, context));
    }
  }
  return kept;
}

export const jsonPathBuiltins: readonly Builtin[] = [
  builtin("json.remove", 2, (args, context) => {
    const object = objectOperand(args, 1);
    return without(object, pathTree(pathsOperand(args), context), context);
  }),
  builtin("json.filter", 2, (args, context) => {
    const object = objectOperand(args, 1);
    return only(object, pathTree(pathsOperand(args), context), context);
  }),
];
