/**
 * A JSON value as it comes with a request or goes into a patch; whole numbers of 2^53 and more are bigints. Objects are
 * read by own keys only.
 */
export type Json = null | boolean | number | bigint | string | readonly Json[] | JsonRecord;

export interface JsonRecord {
  readonly [key: string]: Json;
}

export const isJsonList = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);

export const isJsonRecord = (value: Json | undefined): value is JsonRecord =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The value of an own key; undefined when there is none. */
export function ownValue(record: JsonRecord, key: string): Json | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

/** How deep a JSON document may be nested where this code recurses into it (Go's decoder stops at 10,000). */
export const maxJsonDepth = 1000;

/** Whether two values are the same JSON, however deep: objects nested by the thousand are compared on no stack. */
export function jsonEquals(a: Json, b: Json): boolean {
  const open: [Json, Json][] = [[a, b]];
  for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
    const [one, other] = pair;
    if (one !== other && !openBelow(one, other, open)) return false;
  }
  return true;
}

/** False when they differ already, whatever is below. */
function openBelow(one: Json, other: Json, open: [Json, Json][]): boolean {
  if (isJsonRecord(one)) return isJsonRecord(other) && openFields(one, other, open);
  if (!isJsonList(one) || !isJsonList(other) || one.length !== other.length) return false;
  one.forEach((item, at) => {
    open.push([item, other[at] ?? null]);
  });
  return true;
}

function openFields(one: JsonRecord, other: JsonRecord, open: [Json, Json][]): boolean {
  const keys = Object.keys(one);
  if (keys.length !== Object.keys(other).length) return false;
  for (const key of keys) {
    const value = ownValue(other, key);
    if (value === undefined) return false;
    open.push([one[key] ?? null, value]);
  }
  return true;
}
