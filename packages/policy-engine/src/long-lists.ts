/** What an object may grow to, for costs that depend on how long its lists are. */
import { isJsonObject } from "./pod-security/shape-reader.ts";

/** As many items as a long list of containers, volumes or rules has. */
export const LONG_LIST = 30;
/** More values than an object has that etcd takes; growing stops there. */
const mostValues = 100_000;
/** Deeper parts stay as they are. */
const deepest = 100;

/** The object with each list repeated until it is long. */
export function withLongLists(object: unknown): unknown {
  let left = mostValues;
  const grow = (value: unknown, depth: number): unknown => {
    left--;
    if (depth > deepest) return value;
    if (Array.isArray(value)) {
      const items = value.map((item) => grow(item, depth + 1));
      if (items.length === 0 || items.length >= LONG_LIST || left <= 0) return items;
      return Array.from({ length: LONG_LIST }, (_, at) => items[at % items.length]);
    }
    if (!isJsonObject(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, grow(member, depth + 1)]));
  };
  return grow(object, 0);
}
