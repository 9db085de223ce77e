/** Documents that come with a policy's rules as they are: the data of its bundle. */
import { isStoredObject, type PlainObject, type RegoValue } from "../rego/index.ts";
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

function isList(value: RegoValue | undefined): value is readonly RegoValue[] {
  return Array.isArray(value);
}
