import { plainKeys, wideObject } from "../plain-keys.ts";
import { CelMap, type CelValue, type JsonObject } from "./values.ts";
import { spend } from "./work.ts";

// One reading of both forms of a map. JSON objects come from requests, so only own keys count: "__proto__" and
// "constructor" are keys like others.

/** What it takes to list the keys of a JSON object, in units of work.ts: a large one is a hash table. */
const keyWork = (count: number): number => (count > 1_000 ? count * 10 : count);

export function mapGet(map: JsonObject | CelMap, key: CelValue): CelValue | undefined {
  if (map instanceof CelMap) return map.get(key);
  return typeof key === "string" && Object.hasOwn(map, key) ? map[key] : undefined;
}

export function mapHas(map: JsonObject | CelMap, key: CelValue): boolean {
  return map instanceof CelMap ? map.has(key) : typeof key === "string" && Object.hasOwn(map, key);
}

export function mapSize(map: JsonObject | CelMap): number {
  if (map instanceof CelMap) return map.size;
  const { length } = plainKeys(map);
  spend(keyWork(length));
  return length;
}

export function mapKeys(map: JsonObject | CelMap): CelValue[] {
  const keys = map instanceof CelMap ? map.keys() : [...plainKeys(map)];
  spend(keyWork(keys.length));
  return keys;
}

export function mapEntries(map: JsonObject | CelMap): Iterable<readonly [CelValue, CelValue]> {
  if (map instanceof CelMap) return map.entries();
  const keys = plainKeys(map);
  spend(keyWork(keys.length) * 2);
  return keys.length < wideObject ? Object.entries(map) : wideEntries(map, keys);
}

/** One by one: to list all entries of a wide object at once takes far longer. */
function* wideEntries(map: JsonObject, keys: readonly string[]): Generator<readonly [CelValue, CelValue]> {
  for (const key of keys) {
    spend(1);
    yield [key, map[key] ?? null];
  }
}
