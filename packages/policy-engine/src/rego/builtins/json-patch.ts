/**
 * `json.patch`: RFC 6902 on Rego values, sets included (OPA's v1/topdown/json.go and internal/edittree). A
 * document is copied along the path of each operation only.
 */
import {
  type AnyObject,
  entriesOf,
  equalValues,
  getKey,
  isArray,
  isObject,
  isSet,
  RegoObject,
  RegoSet,
  type RegoValue,
  sizeOf,
  typeName,
} from "../values.ts";
import { type Builtin, type BuiltinContext, LimitError } from "./contract.ts";
import { isDigit } from "./go/number-text.ts";
import { parsePath } from "./json-paths.ts";
import { refuseManyElements } from "./limits.ts";
import { arrayOperand, builtin, failure, operand, toBigInt } from "./operands.ts";
import { valueText } from "./value-text.ts";

/** Operations of one patch. */
const maxOperations = 10_000;

function refuseComposite(value: RegoValue): never {
  throw failure(`expected composite type, found value: ${valueText(value)} (type: ${typeName(value)})`);
}

function textIndex(key: string): number {
  for (let at = 0; at < key.length; at += 1) {
    if (!isDigit(key.charCodeAt(at))) {
      throw failure("invalid string for indexing");
    }
  }
  if (key === "" || key.length > 15) {
    throw failure("invalid string for indexing");
  }
  if (key !== "0" && key.startsWith("0")) {
    throw failure("leading zeros are not allowed in JSON paths");
  }
  return Number(key);
}

function indexOf(length: number, key: RegoValue): number {
  if (typeof key === "string") {
    return key === "-" ? length : textIndex(key);
  }
  if (typeof key !== "number" && typeof key !== "bigint") {
    throw failure("invalid type for indexing");
  }
  const index = toBigInt(key);
  if (index === undefined) {
    throw failure("invalid number type for indexing");
  }
  return Number(index);
}

/** The value one step down. */
function step(value: RegoValue, key: RegoValue): RegoValue {
  let found: RegoValue | undefined;
  if (isArray(value)) {
    found = value[indexOf(value.length, key)];
  } else if (isSet(value)) {
    found = value.has(key) ? key : undefined;
  } else if (isObject(value)) {
    found = getKey(value, key);
  } else {
    refuseComposite(value);
  }
  if (found === undefined) {
    const shown = isSet(value) && typeof key === "string" ? key : valueText(key);
    throw failure(`path ${shown} does not exist in ${typeName(value)} term ${valueText(value)}`);
  }
  return found;
}

/** A document under edit. Containers it made itself are changed in place, all others copied first. */
class Patch {
  #root: RegoValue | undefined;
  #owned = new WeakSet<object>();
  readonly #context: BuiltinContext;

  constructor(document: RegoValue, context: BuiltinContext) {
    this.#root = document;
    this.#context = context;
  }

  get result(): RegoValue | undefined {
    return this.#root;
  }

  read(path: readonly RegoValue[]): RegoValue {
    let value = this.#document("unfold");
    for (const key of path) {
      value = step(value, key);
    }
    this.#context.spend(path.length + 1);
    return value;
  }

  #document(operation: string): RegoValue {
    if (this.#root === undefined) {
      throw failure(`deleted node encountered during ${operation} operation`);
    }
    return this.#root;
  }

  /** A part that will stand in two places may not be changed in place in either. */
  readShared(path: readonly RegoValue[]): RegoValue {
    this.#owned = new WeakSet();
    return this.read(path);
  }

  insert(path: readonly RegoValue[], value: RegoValue): void {
    const key = path.at(-1);
    if (key === undefined) {
      this.#root = value;
      return;
    }
    this.#change(path, "insert", (container) => this.#inserted(container, key, value));
  }

  remove(path: readonly RegoValue[]): void {
    const key = path.at(-1);
    if (key === undefined) {
      this.#document("delete");
      this.#root = undefined;
      return;
    }
    this.#change(path, "delete", (container) => this.#removed(container, key));
  }

  /** Replaces the container at the end of a path, and those above it on the way back. */
  #change(path: readonly RegoValue[], operation: string, change: (container: RegoValue) => RegoValue): void {
    const containers: RegoValue[] = [this.#document(operation)];
    for (const key of path.slice(0, -1)) {
      containers.push(step(containers.at(-1) ?? null, key));
    }
    let value = change(containers.pop() ?? null);
    for (let level = containers.length - 1; level >= 0; level -= 1) {
      value = this.#replaced(containers[level] ?? null, path[level] ?? null, value);
    }
    this.#root = value;
  }

  #array(value: readonly RegoValue[]): RegoValue[] {
    if (this.#owned.has(value)) {
      return value as RegoValue[];
    }
    this.#context.spend(value.length);
    const copy = [...value];
    this.#owned.add(copy);
    return copy;
  }

  #object(value: AnyObject): RegoObject {
    if (value instanceof RegoObject && this.#owned.has(value)) {
      return value;
    }
    this.#context.spend(sizeOf(value));
    const copy = new RegoObject(entriesOf(value));
    this.#owned.add(copy);
    return copy;
  }

  #set(value: RegoSet, leave: RegoValue | undefined, add: RegoValue | undefined): RegoSet {
    this.#context.spend(value.size + 1);
    const copy = new RegoSet();
    for (const item of value) {
      if (leave === undefined || !equalValues(item, leave)) {
        copy.add(item);
      }
    }
    if (add !== undefined) {
      copy.add(add);
    }
    return copy;
  }

  #inserted(container: RegoValue, key: RegoValue, value: RegoValue): RegoValue {
    if (isArray(container)) {
      const index = indexOf(container.length, key);
      if (index < 0 || index > container.length) {
        throw failure("index for array insertion out of bounds");
      }
      const array = this.#array(container);
      this.#context.spend(1 + Math.floor((array.length - index) / 16));
      array.splice(index, 0, value);
      refuseManyElements(array.length);
      return array;
    }
    if (isSet(container)) {
      if (!equalValues(key, value)) {
        throw failure(`set key ${valueText(key)} does not equal value to be inserted ${valueText(value)}`);
      }
      return this.#set(container, undefined, value);
    }
    return isObject(container) ? this.#assigned(container, key, value) : refuseComposite(container);
  }

  #assigned(container: AnyObject, key: RegoValue, value: RegoValue): RegoObject {
    const object = this.#object(container);
    object.set(key, value);
    refuseManyElements(object.size);
    return object;
  }

  #removed(container: RegoValue, key: RegoValue): RegoValue {
    if (isArray(container)) {
      const index = indexOf(container.length, key);
      if (index < 0 || index >= container.length) {
        throw failure("index for array delete out of bounds");
      }
      const array = this.#array(container);
      this.#context.spend(1 + Math.floor((array.length - index) / 16));
      array.splice(index, 1);
      return array;
    }
    if (!isSet(container) && !isObject(container)) {
      refuseComposite(container);
    }
    const found = isSet(container) ? container.has(key) : getKey(container, key) !== undefined;
    if (!found) {
      throw failure(`cannot delete child key ${valueText(key)} that does not exist`);
    }
    if (isSet(container)) {
      return this.#set(container, key, undefined);
    }
    this.#context.spend(sizeOf(container));
    const rest = new RegoObject();
    for (const [name, value] of entriesOf(container)) {
      if (!equalValues(name, key)) {
        rest.set(name, value);
      }
    }
    this.#owned.add(rest);
    return rest;
  }

  #replaced(container: RegoValue, key: RegoValue, value: RegoValue): RegoValue {
    if (isArray(container)) {
      const array = this.#array(container);
      array[indexOf(array.length, key)] = value;
      return array;
    }
    if (isSet(container)) {
      return this.#set(container, key, value);
    }
    return isObject(container) ? this.#assigned(container, key, value) : refuseComposite(container);
  }
}

function attribute(operation: AnyObject, name: string): RegoValue {
  const value = getKey(operation, name);
  if (value === undefined) {
    throw failure(`missing required attribute '${name}'`);
  }
  return value;
}

function apply(patch: Patch, operation: AnyObject): void {
  const where = attribute(operation, "path");
  const op = attribute(operation, "op");
  if (typeof op !== "string") {
    throw failure(`attribute 'op' must be a string but found: ${typeName(op)}`);
  }
  const path = parsePath(where);
  switch (op) {
    case "add":
      patch.insert(path, attribute(operation, "value"));
      return;
    case "remove":
      patch.remove(path);
      return;
    case "replace":
      patch.remove(path);
      patch.insert(path, attribute(operation, "value"));
      return;
    case "move": {
      const from = parsePath(attribute(operation, "from"));
      const value = patch.readShared(from);
      patch.remove(from);
      patch.insert(path, value);
      return;
    }
    case "copy":
      patch.insert(path, patch.readShared(parsePath(attribute(operation, "from"))));
      return;
    case "test": {
      const found = patch.read(path);
      const expected = attribute(operation, "value");
      if (!equalValues(found, expected)) {
        throw failure(
          `value from EditTree != patch value.\n\nExpected: ${valueText(expected)}\n\nFound: ${valueText(found)}`,
        );
      }
      return;
    }
    default:
      throw failure(`unrecognized op: '${op}'`);
  }
}

function patchAll(args: readonly RegoValue[], context: BuiltinContext): RegoValue | undefined {
  const operations = arrayOperand(args, 2);
  if (operations.length > maxOperations) {
    throw new LimitError(`a patch may have at most ${maxOperations} operations`);
  }
  const patch = new Patch(operand(args, 1), context);
  for (const operation of operations) {
    context.spend(1);
    if (!isObject(operation)) {
      throw failure("must be an array of JSON-Patch objects, but at least one element is not an object");
    }
    apply(patch, operation);
  }
  return patch.result;
}

export const jsonPatchBuiltins: readonly Builtin[] = [builtin("json.patch", 2, patchAll)];
