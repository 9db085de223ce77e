import { exactJsonText } from "../../exact-json.ts";
import { quoteWhole } from "./go-strings.ts";
import { isJsonList, isJsonRecord, type Json, type JsonRecord, ownValue } from "./json.ts";
import type { ListAtom } from "./structural-schema.ts";

/**
 * What tells the elements of a list apart when it is merged: the values of its key fields, or in a set the value
 * itself (structured-merge-diff typed/helpers.go). The text is the element's step in a field path, and equal for
 * elements that are the same.
 */
export type ItemIdentity = { readonly step: string } | { readonly flaw: string };

export function itemIdentity(list: ListAtom, item: Json): ItemIdentity {
  return list.keys.length > 0 ? keyedIdentity(list, item) : setIdentity(item);
}

function keyedIdentity(list: ListAtom, item: Json): ItemIdentity {
  if (item === null) return { flaw: "associative list with keys may not have a null element" };
  if (!isJsonRecord(item)) return { flaw: "associative list with keys may not have non-map elements" };
  const fields: string[] = [];
  for (const key of list.keys) {
    const value = keyValue(list, item, key);
    if (typeof value === "object" && value !== null && "flaw" in value) return { flaw: String(value.flaw) };
    if (value !== undefined) fields.push(`${key}=${formatValue(value)}`);
  }
  if (fields.length > 0) return { step: `[${fields.sort().join(",")}]` };
  const keys = list.keys.map(quoteWhole).join(" ");
  return {
    flaw: `associative list with keys has an element that omits all key fields [${keys}] (and doesn't have default values for any key fields)`,
  };
}

/** The value of a key field, or its default. */
function keyValue(
  list: ListAtom,
  item: JsonRecord,
  key: string,
): Json | undefined | { readonly flaw: string } {
  const given = ownValue(item, key);
  if (given !== undefined) return given;
  const { map } = list.element();
  if (map === undefined) {
    return {
      flaw: `couldn't find default value for ${key}: associative list may not have non-map types`,
    };
  }
  return map.field(key)?.default;
}

function setIdentity(item: Json): ItemIdentity {
  if (isJsonRecord(item)) return { flaw: "associative list without keys has an element that's a map type" };
  if (isJsonList(item)) return { flaw: "not supported: associative list with lists as elements" };
  if (item === null) {
    return { flaw: "associative list without keys has an element that's an explicit null" };
  }
  return { step: `[=${formatValue(item)}]` };
}

/** A scalar as it stands in a field path. */
function formatValue(value: Json): string {
  return typeof value === "string" ? quoteWhole(value) : exactJsonText(value);
}
