import { isInheritable } from "../../generate/code-writer.ts";
import { isArray, RegoObject, type RegoValue } from "../values.ts";

/**
 * The same value with JSON's objects, which are read fastest, where an object has nothing but texts as keys, which no
 * prototype has, and which JavaScript keeps in the order in which they came.
 */
export function asPlain<T extends RegoValue | undefined>(value: T): T | RegoValue {
  if (value === undefined) return value;
  if (isArray(value)) return value.map((item) => asPlain(item));
  if (!(value instanceof RegoObject) || !value.keys().every(isOrdinary)) return value;
  const plain: Record<string, RegoValue> = {};
  for (const [key, item] of value.entries()) plain[String(key)] = asPlain(item);
  return plain;
}

function isOrdinary(key: RegoValue): boolean {
  return typeof key === "string" && !isInheritable(key) && !/^\d/.test(key);
}
