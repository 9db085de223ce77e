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
  const { length } = Object.keys(map);
  spend(keyWork(length));
  return length;
}

export function mapKeys(map: JsonObject | CelMap): CelValue[] {
  const keys = map instanceof CelMap ? map.keys() : Object.keys(map);
  spend(keyWork(keys.length));
  return keys;
}

export function mapEntries(map: JsonObject | CelMap): Iterable<readonly [CelValue, CelValue]> {
  if (map instanceof CelMap) return map.entries();
  const entries = Object.entries(map);
  spend(keyWork(entries.length) * 2);
  return entries;
}
