/** A JSON value as it comes with a request or goes into a patch. Objects are read by own keys only. */
export type Json = null | boolean | number | string | readonly Json[] | JsonRecord;

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

/** Sets an own key, `__proto__` among them: a plain assignment would change the prototype instead. */
export function setOwnValue(record: Record<string, Json>, key: string, value: Json): void {
  if (key === "__proto__") {
    Object.defineProperty(record, key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    record[key] = value;
  }
}

/** How deep a JSON document may be nested where this code recurses into it (Go's decoder stops at 10,000). */
export const maxJsonDepth = 1000;

/** Whether two values are the same JSON; false, too, beyond `maxJsonDepth`. */
export function jsonEquals(a: Json, b: Json, depth = 0): boolean {
  if (a === b) return true;
  if (depth > maxJsonDepth) return false;
  if (isJsonList(a)) {
    return (
      isJsonList(b) &&
      a.length === b.length &&
      a.every((item, at) => jsonEquals(item, b[at] ?? null, depth + 1))
    );
  }
  if (!isJsonRecord(a) || !isJsonRecord(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => {
      const other = ownValue(b, key);
      return other !== undefined && jsonEquals(a[key] ?? null, other, depth + 1);
    })
  );
}
