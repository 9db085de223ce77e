import { setOwnKey } from "../../own-key.ts";
import { CelError } from "../errors.ts";
import { quote } from "./go-strings.ts";
import {
  isJsonList,
  isJsonRecord,
  type Json,
  type JsonRecord,
  jsonEquals,
  maxJsonDepth,
  ownValue,
} from "./json.ts";

/**
 * JSON Patch (RFC 6902) as MutatingAdmissionPolicies apply it: the server uses evanphx/json-patch v4, and its
 * liberties are kept so that a policy does here what it does there: a negative index counts from the end,
 * `replace` and `copy` do not mind a missing key, and text before the first slash of a path is not looked at.
 */
export interface JsonPatchOperation {
  readonly op: string;
  readonly path: string;
  /** For `move` and `copy`. */
  readonly from?: string;
  readonly value?: Json;
}

/** `copy` can double a document each time; together copies may add no more values than this. */
const maxCopiedValues = 200_000;

/**
 * The document with all operations done; the document itself when a `test` failed, which undoes the patch without
 * being an error. Nothing passed in is changed. Throws CelError with the server's text when an operation does not
 * apply.
 */
export function applyJsonPatch(document: Json, operations: readonly JsonPatchOperation[]): Json {
  const patching = new Patching(document);
  for (const operation of operations) {
    if (!patching.apply(operation)) return document;
  }
  return patching.document;
}

type Container = Json[] | Record<string, Json>;

/** Where an operation points: the last step of its path, and the container that step is taken in. */
interface Place {
  readonly container: Container;
  readonly key: string;
}

const missing = "missing value";
const invalidIndex = (index: number): string =>
  `Unable to access invalid index: ${index}: invalid index referenced`;

function fail(message: string): never {
  throw new CelError(`JSON Patch: ${message}`);
}

/** A document being patched: containers are copied once, when first written to. */
class Patching {
  document: Json;
  /** Containers that are copies already, and ours to change. */
  readonly #owned = new Set<Json>();
  #copied = 0;

  constructor(document: Json) {
    this.document = document;
  }

  /** Whether the patch may go on: false after a failed `test`. */
  apply(operation: JsonPatchOperation): boolean {
    switch (operation.op) {
      case "add":
        this.#add(operation);
        return true;
      case "remove":
        this.#remove(operation);
        return true;
      case "replace":
        this.#replace(operation);
        return true;
      case "move":
        this.#move(operation);
        return true;
      case "copy":
        this.#copy(operation);
        return true;
      case "test":
        return this.#test(operation);
      default:
        return fail(`Unexpected kind: ${operation.op}`);
    }
  }

  #add({ path, value = null }: JsonPatchOperation): void {
    const place = this.#find(path);
    if (place === undefined) {
      fail(`add operation does not apply: doc is missing path: "${path}": ${missing}`);
    }
    const flaw = insert(place, value);
    if (flaw !== undefined) fail(`error in add for path: '${path}': ${flaw}`);
  }

  #remove({ path }: JsonPatchOperation): void {
    const place = this.#find(path);
    if (place === undefined) {
      fail(`remove operation does not apply: doc is missing path: "${path}": ${missing}`);
    }
    const flaw = take(place);
    if (flaw !== undefined) fail(`error in remove for path: '${path}': ${flaw}`);
  }

  #replace({ path, value }: JsonPatchOperation): void {
    if (path === "") {
      this.#replaceDocument(value);
      return;
    }
    const place = this.#find(path);
    if (place === undefined) {
      fail(`replace operation does not apply: doc is missing path: ${path}: ${missing}`);
    }
    const { container, key } = place;
    if (!Array.isArray(container)) {
      setOwnKey(container, key, value ?? null);
      return;
    }
    const index = elementIndex(container.length, key);
    if (typeof index === "string") {
      fail(`replace operation does not apply: doc is missing key: ${path}: ${missing}`);
    }
    container[index] = value ?? null;
  }

  #replaceDocument(value: Json | undefined): void {
    if (!isJsonList(value) && !isJsonRecord(value)) fail("replace operation value must be object or array");
    this.document = value;
  }

  #move({ from, path }: JsonPatchOperation): void {
    if (from === undefined || from === "") {
      fail(`move operation failed to decode from: operation, missing from field: ${missing}`);
    }
    const source = this.#find(from);
    if (source === undefined) {
      fail(`move operation does not apply: doc is missing from path: ${from}: ${missing}`);
    }
    const value = read(source);
    const flaw = typeof value === "object" && "flaw" in value ? value.flaw : take(source);
    if (flaw !== undefined) fail(`error in move for path: '${source.key}': ${flaw}`);
    const target = this.#find(path);
    if (target === undefined) {
      fail(`move operation does not apply: doc is missing destination path: ${path}: ${missing}`);
    }
    const rejected = insert(target, "value" in value ? value.value : null);
    if (rejected !== undefined) fail(`error in move for path: '${path}': ${rejected}`);
  }

  #copy({ from, path }: JsonPatchOperation): void {
    if (from === undefined || from === "") {
      fail(`copy operation failed to decode from: operation, missing from field: ${missing}`);
    }
    const source = this.#find(from);
    if (source === undefined) {
      fail(`copy operation does not apply: doc is missing from path: ${from}: ${missing}`);
    }
    const found = read(source);
    if ("flaw" in found) fail(`error in copy for from: '${from}': ${found.flaw}`);
    const target = this.#find(path);
    if (target === undefined) {
      fail(`copy operation does not apply: doc is missing destination path: ${path}: ${missing}`);
    }
    const flaw = insert(target, this.#clone(found.value, 0));
    if (flaw !== undefined) fail(`error while adding value during copy: ${flaw}`);
  }

  /** A failed test is no error; a path that leads nowhere is. */
  #test({ path, value }: JsonPatchOperation): boolean {
    if (path === "") return value !== undefined && jsonEquals(this.document, value);
    const place = this.#find(path);
    if (place === undefined)
      return fail(`test operation does not apply: is missing path: ${path}: ${missing}`);
    const found = read(place);
    if ("flaw" in found) return fail(`error in test for path: '${path}': ${found.flaw}`);
    // The server cannot tell null from nothing here, and neither passes for null.
    return found.value !== null && value !== undefined && jsonEquals(found.value, value);
  }

  /** Follows a path, copying the containers on the way; undefined when it leads nowhere. */
  #find(path: string): Place | undefined {
    const steps = path.split("/").map(decodeStep);
    const key = steps.pop();
    if (key === undefined || steps.length === 0) return undefined;
    if (steps.length > maxJsonDepth) return fail(`path is longer than ${maxJsonDepth} steps`);
    let container = this.#writable(this.document);
    if (container === undefined) return undefined;
    this.document = container;
    for (const step of steps.slice(1)) {
      const place: Place = { container, key: step };
      const found = read(place);
      const child = "flaw" in found ? undefined : this.#writable(found.value);
      if (child === undefined) return undefined;
      put(place, child);
      container = child;
    }
    return { container, key };
  }

  /** The container, or a copy that may be changed; undefined for values that are none. */
  #writable(value: Json): Container | undefined {
    if (!isJsonList(value) && !isJsonRecord(value)) return undefined;
    if (this.#owned.has(value)) return value as Container;
    const copy: Container = isJsonList(value) ? [...value] : { ...value };
    this.#owned.add(copy);
    return copy;
  }

  /** A deep copy, so that no container that may be changed hangs in two places. */
  #clone(value: Json, depth: number): Json {
    if (++this.#copied > maxCopiedValues) fail(`copy operations add more than ${maxCopiedValues} values`);
    if (depth > maxJsonDepth) fail(`copied value is nested deeper than ${maxJsonDepth} levels`);
    if (isJsonList(value)) return value.map((item) => this.#clone(item, depth + 1));
    if (!isJsonRecord(value)) return value;
    const copy: Record<string, Json> = {};
    for (const [key, item] of Object.entries(value)) setOwnKey(copy, key, this.#clone(item, depth + 1));
    return copy;
  }
}

/** Undoes the escapes of RFC 6901 §4. */
function decodeStep(step: string): string {
  return step.replace(/~[01]/g, (token) => (token === "~1" ? "/" : "~"));
}

/** Go's `strconv.Atoi`: signs and leading zeros are fine. The string is the text of its error. */
function parseIndex(key: string): number | string {
  if (!/^[+-]?[0-9]+$/.test(key)) return `strconv.Atoi: parsing ${quote(key)}: invalid syntax`;
  const index = Number(key);
  if (Math.abs(index) >= 2 ** 63) return `strconv.Atoi: parsing ${quote(key)}: value out of range`;
  return index + 0;
}

/** The position of an element that exists, or why there is none. */
function elementIndex(length: number, key: string): number | string {
  const index = parseIndex(key);
  if (typeof index === "string") return index;
  if (index >= length || index < -length) return invalidIndex(index);
  return index < 0 ? index + length : index;
}

/** The value at a place: null for a key that is not there. */
function read({ container, key }: Place): { readonly value: Json } | { readonly flaw: string } {
  if (!Array.isArray(container)) return { value: ownValue(container as JsonRecord, key) ?? null };
  const index = elementIndex(container.length, key);
  return typeof index === "string" ? { flaw: index } : { value: container[index] ?? null };
}

/** Puts back a copy of the child that `read` found. */
function put({ container, key }: Place, child: Container): void {
  if (!Array.isArray(container)) {
    setOwnKey(container, key, child);
    return;
  }
  const index = elementIndex(container.length, key);
  if (typeof index === "number") container[index] = child;
}

/** Adds a value, moving later elements of a list on; tells why it cannot. */
function insert({ container, key }: Place, value: Json): string | undefined {
  if (!Array.isArray(container)) {
    setOwnKey(container, key, value);
    return undefined;
  }
  if (key === "-") {
    container.push(value);
    return undefined;
  }
  const index = parseIndex(key);
  if (typeof index === "string") return `value was not a proper array index: '${key}': ${index}`;
  const slots = container.length + 1;
  if (index >= slots || index < -slots) return invalidIndex(index);
  container.splice(index < 0 ? index + slots : index, 0, value);
  return undefined;
}

/** Removes what is at a place; tells why it cannot. */
function take({ container, key }: Place): string | undefined {
  if (Array.isArray(container)) {
    const index = elementIndex(container.length, key);
    if (typeof index === "string") return index;
    container.splice(index, 1);
    return undefined;
  }
  if (!Object.hasOwn(container, key)) return `Unable to remove nonexistent key: ${key}: ${missing}`;
  delete container[key];
  return undefined;
}
