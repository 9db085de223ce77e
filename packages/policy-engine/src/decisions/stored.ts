/** Documents that come with a policy's rules as they are: the data of its bundle. */
import type { PlainObject, RegoValue } from "../rego/index.ts";
import type { PathPart } from "./source.ts";

/**
 * The document at a path below `data`. Undefined where there is none. A whole number names a position in a list and a
 * key in an object, as storage in OPA has no other way to write it (v1/storage NewPathForRef).
 */
export function storedAt(data: PlainObject, path: readonly PathPart[]): RegoValue | undefined {
  let value: RegoValue | undefined = data;
  for (const part of path) {
    if (isList(value)) value = typeof part === "number" ? value[part] : undefined;
    else if (isStoredObject(value)) value = Object.hasOwn(value, part) ? value[part] : undefined;
    else return undefined;
  }
  return value;
}

/** The data of a bundle are JSON documents: there are neither sets nor objects with other keys than text in it. */
export function isStoredObject(value: RegoValue | undefined): value is PlainObject {
  return typeof value === "object" && value !== null && !isList(value);
}

function isList(value: RegoValue | undefined): value is readonly RegoValue[] {
  return Array.isArray(value);
}

/**
 * The path of a rule that stands where there is a document already, or below one that has no parts: OPA activates no such
 * bundle (v1/ast CheckPathConflicts, v1/storage NonEmpty).
 */
export function conflictingPath(
  data: PlainObject,
  rules: Iterable<readonly string[]>,
): readonly string[] | undefined {
  for (const path of rules) {
    let value: RegoValue | undefined = data;
    for (const name of path) {
      if (value === undefined) break;
      if (!isStoredObject(value)) return path;
      value = Object.hasOwn(value, name) ? value[name] : undefined;
    }
    if (value !== undefined) return path;
  }
  return undefined;
}
