/** Rego's values as JSON, for those who read a result. */
import { setOwnKey } from "../own-key.ts";
import { compareStrings, enterValue, entriesOf, isArray, isObject, isSet, type RegoValue } from "./values.ts";
import { countWork } from "./work-meter.ts";

/** JSON, with integers beyond ±2^53 as bigint so that none is rounded. */
export type RegoJson =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly RegoJson[]
  | { readonly [key: string]: RegoJson };

/** Units of work beyond a look: a copy takes memory, 100 bytes and more for each collection. */
const copyCost = 8;

/**
 * A copy without sets: they become sorted arrays. Keys that are no strings become their JSON text, as OPA has it
 * (v1/ast JSON).
 */
export function toJson(value: RegoValue, depth = 0): RegoJson {
  if (typeof value !== "object" || value === null) return value;
  enterValue(depth);
  countWork(copyCost);
  const inner = (item: RegoValue): RegoJson => toJson(item, depth + 1);
  if (isArray(value)) return value.map(inner);
  if (isSet(value)) return value.sorted().map(inner);
  const object: Record<string, RegoJson> = {};
  if (!isObject(value)) return object;
  for (const [key, item] of entriesOf(value)) setOwnKey(object, keyText(key), inner(item));
  return object;
}

function keyText(key: RegoValue): string {
  return typeof key === "string" ? key : compactJson(toJson(key));
}

function scalarText(value: null | boolean | number | bigint | string): string {
  if (typeof value !== "string") return String(value);
  countWork(value.length >>> 4);
  return JSON.stringify(value);
}

/** JSON text without spaces, keys sorted; unlike `JSON.stringify` it writes bigint. */
export function compactJson(value: RegoJson): string {
  if (typeof value !== "object" || value === null) return scalarText(value);
  if (Array.isArray(value)) return `[${value.map(compactJson).join()}]`;
  const members = Object.entries(value)
    .sort(([a], [b]) => compareStrings(a, b))
    .map(([key, item]) => `${JSON.stringify(key)}:${compactJson(item)}`);
  return `{${members.join()}}`;
}
