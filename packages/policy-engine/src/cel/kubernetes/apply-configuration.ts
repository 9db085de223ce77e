import { setOwnKey } from "../../own-key.ts";
import { CelError } from "../errors.ts";
import {
  deduceAtom,
  formatSchemaErrors,
  type SchemaError,
  scalarFlaw,
  schemaErrors,
} from "./apply-validation.ts";
import { isJsonList, isJsonRecord, type Json, type JsonRecord, ownValue } from "./json.ts";
import { mergeLists } from "./list-merge.ts";
import { type Atom, deduced, type ListAtom, type MapAtom } from "./structural-schema.ts";

/**
 * Merges the object that an ApplyConfiguration expression returned into a request's object, as apiserver's
 * pkg/admission/plugin/policy/mutating/patch does by structured-merge-diff: like server-side apply, but without
 * owners, so that nothing is removed.
 */

/**
 * The merged object; nothing passed in is changed. `type` is the object's type by its schema; without one maps are
 * merged and lists replaced. The configuration gets the object's `apiVersion` and `kind`. Throws CelError, with the
 * server's text, for a configuration that does not fit the type, or sets something atomic: what it leaves out would
 * be lost.
 */
export function mergeApplyConfiguration(
  object: JsonRecord,
  configuration: JsonRecord,
  type: Atom = deduced,
): JsonRecord {
  const patch = withIdentity(configuration, object);
  reject("failed to convert patch object to typed object", schemaErrors(type, patch, false));
  const atomics = atomicPaths(type, patch, "");
  if (atomics.length > 0) {
    fail(`invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${atomics.join(", ")}`);
  }
  reject("failed to convert original object to typed object", schemaErrors(type, object, true));
  const errors: SchemaError[] = [];
  const merged = new Merge(errors).merge(type, object, patch);
  reject("failed to merge patch", errors);
  return isJsonRecord(merged) ? merged : {};
}

function fail(message: string): never {
  throw new CelError(`error applying patch: ${message}`);
}

function reject(what: string, errors: readonly SchemaError[]): void {
  if (errors.length > 0) fail(`${what}: ${formatSchemaErrors(errors)}`);
}

function withIdentity(configuration: JsonRecord, object: JsonRecord): JsonRecord {
  const patch: Record<string, Json> = { ...configuration };
  for (const key of ["apiVersion", "kind"]) {
    const value = ownValue(object, key);
    if (value !== undefined) setOwnKey(patch, key, value);
  }
  return patch;
}

/**
 * The paths of what is atomic in a configuration. Only declared fields and list elements are looked into, as on the
 * server. The value has been checked against the type, so its depth is bounded.
 */
function atomicPaths(type: Atom, value: Json, path: string): string[] {
  const paths: string[] = [];
  if (isJsonRecord(value) && type.map !== undefined) {
    if (type.map.atomic) paths.push(path);
    for (const [key, item] of Object.entries(value)) {
      const field = type.map.field(key);
      if (field !== undefined) paths.push(...atomicPaths(field.atom(), item, `${path}.${key}`));
    }
  }
  if (isJsonList(value) && type.list !== undefined) {
    if (type.list.atomic) paths.push(path);
    const element = type.list.element();
    for (const [index, item] of value.entries())
      paths.push(...atomicPaths(element, item, `${path}[${index}]`));
  }
  return paths;
}

/** Merging by type (structured-merge-diff typed/merge.go): undefined stands for "not there", null is a value. */
class Merge {
  readonly #errors: SchemaError[];

  constructor(errors: SchemaError[]) {
    this.#errors = errors;
  }

  merge(type: Atom, left: Json | undefined, right: Json | undefined): Json | undefined {
    // The form of the new value decides; where there is none, that of the old one.
    const { map, scalar, list } = deduceAtom(type, right === undefined ? left : right);
    if (map !== undefined) return this.#mergeMaps(map, left, right);
    if (scalar !== undefined) {
      const flaw = scalarFlaw(scalar, right);
      if (flaw !== undefined && scalarFlaw(scalar, left) !== undefined) {
        this.#errors.push({ path: "", message: `rhs: ${flaw}` });
      }
      return replaced(left, right);
    }
    return list === undefined ? replaced(left, right) : this.#mergeLists(list, left, right);
  }

  #mergeMaps(map: MapAtom, left: Json | undefined, right: Json | undefined): Json | undefined {
    const old = isJsonRecord(left) ? left : {};
    const fresh = isJsonRecord(right) ? right : {};
    const keys = new Set([...Object.keys(old), ...Object.keys(fresh)]);
    // With nothing on either side the difference between empty and null is kept.
    if (map.atomic || keys.size === 0) return replaced(left, right);
    const merged: Record<string, Json> = {};
    for (const key of keys) {
      const element = map.field(key)?.atom ?? map.element ?? (() => deduced);
      const value = this.merge(element(), ownValue(old, key), ownValue(fresh, key));
      if (value !== undefined) setOwnKey(merged, key, value);
    }
    return merged;
  }

  #mergeLists(list: ListAtom, left: Json | undefined, right: Json | undefined): Json | undefined {
    const old = isJsonList(left) ? left : [];
    const fresh = isJsonList(right) ? right : [];
    if (list.atomic || old.length + fresh.length === 0) return replaced(left, right);
    const element = list.element();
    return mergeLists(list, old, fresh, (a, b) => this.merge(element, a, b));
  }
}

function replaced(left: Json | undefined, right: Json | undefined): Json | undefined {
  return right === undefined ? left : right;
}
