import { CelMap, type CelValue, type JsonObject } from "./values.ts";

// One reading of both forms of a map. JSON objects come from requests, so only own keys count: "__proto__" and
// "constructor" are keys like others.

export function mapGet(map: JsonObject | CelMap, key: CelValue): CelValue | undefined {
  if (map instanceof CelMap) return map.get(key);
  return typeof key === "string" && Object.hasOwn(map, key) ? map[key] : undefined;
}

export function mapHas(map: JsonObject | CelMap, key: CelValue): boolean {
  return map instanceof CelMap ? map.has(key) : typeof key === "string" && Object.hasOwn(map, key);
}

export function mapSize(map: JsonObject | CelMap): number {
  return map instanceof CelMap ? map.size : Object.keys(map).length;
}

export function mapKeys(map: JsonObject | CelMap): CelValue[] {
  return map instanceof CelMap ? map.keys() : Object.keys(map);
}

export function mapEntries(map: JsonObject | CelMap): Iterable<readonly [CelValue, CelValue]> {
  return map instanceof CelMap ? map.entries() : Object.entries(map);
}
