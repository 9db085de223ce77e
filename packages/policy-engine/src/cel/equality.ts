import { CelError } from "./errors.ts";
import { mapEntries, mapGet, mapSize } from "./maps.ts";
import { compareNumbers, isNumeric } from "./numbers.ts";
import {
  CelBoxed,
  CelDuration,
  CelMap,
  CelOpaque,
  CelOptional,
  CelRecord,
  CelStruct,
  CelTimestamp,
  CelType,
  type CelValue,
  isMap,
} from "./values.ts";
import { spend } from "./work.ts";

/** Values nested deeper than this do not compare; JSON from the API server stays far below. */
const MAX_DEPTH = 1000;

/**
 * CEL's `==` (specification, "Equality"): numbers compare across kinds, values of different types are unequal, NaN
 * equals nothing. Throws `CelError` for values nested too deeply.
 */
export function equals(a: CelValue, b: CelValue): boolean {
  return equalsAt(a, b, 0);
}

function equalsAt(a: CelValue, b: CelValue, depth: number): boolean {
  spend(1);
  // Two strings of one length are read to their first difference, many characters at once.
  if (typeof a === "string" && typeof b === "string" && a.length === b.length) spend(a.length / 64);
  if (a === b) return true;
  if (typeof a === "string" || typeof a === "boolean" || a === null) return false;
  // What a library adds decides itself, also about values of other types: Kubernetes' refuse them.
  if (a instanceof CelOpaque) return a.equals(b);
  if (b === null) return false;
  if (isNumeric(a)) return isNumeric(b) && compareNumbers(a, b) === 0;
  if (typeof b !== "object") return false;
  if (depth > MAX_DEPTH) throw new CelError("value nested too deeply to compare");
  if (Array.isArray(a)) return Array.isArray(b) && listsEqual(a, b, depth + 1);
  if (isMap(a)) return isMap(b) && mapsEqual(a, b, depth + 1);
  if (a instanceof Uint8Array) return b instanceof Uint8Array && bytesEqual(a, b);
  return a instanceof CelBoxed && boxedEqual(a, b, depth + 1);
}

function listsEqual(a: readonly CelValue[], b: readonly CelValue[], depth: number): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (!equalsAt(a[i] ?? null, b[i] ?? null, depth)) return false;
  }
  return true;
}

function mapsEqual(
  a: Parameters<typeof mapSize>[0],
  b: Parameters<typeof mapSize>[0],
  depth: number,
): boolean {
  if (mapSize(a) !== mapSize(b)) return false;
  for (const [key, value] of mapEntries(a)) {
    const other = mapGet(b, key);
    if (other === undefined || !equalsAt(value, other, depth)) return false;
  }
  return true;
}

function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  spend(a.length);
  return a.every((byte, at) => byte === b[at]);
}

function boxedEqual(a: CelBoxed, b: CelValue, depth: number): boolean {
  if (a instanceof CelTimestamp) {
    return b instanceof CelTimestamp && a.seconds === b.seconds && a.nanos === b.nanos;
  }
  if (a instanceof CelDuration) return b instanceof CelDuration && a.nanoseconds === b.nanoseconds;
  if (a instanceof CelType) return b instanceof CelType && a.name === b.name;
  if (a instanceof CelOptional) {
    if (!(b instanceof CelOptional)) return false;
    if (a.value === undefined || b.value === undefined) return a.value === b.value;
    return equalsAt(a.value, b.value, depth);
  }
  if (a instanceof CelStruct) return b instanceof CelStruct && structsEqual(a, b, depth);
  return a instanceof CelRecord && a === b;
}

function structsEqual(a: CelStruct, b: CelStruct, depth: number): boolean {
  if (a.typeName !== b.typeName || a.fields.size !== b.fields.size) return false;
  for (const [name, value] of a.fields) {
    const other = b.fields.get(name);
    if (other === undefined || !equalsAt(value, other, depth)) return false;
  }
  return true;
}

/** CEL's `in`: an equal element of a list, or a key of a map. Throws "no such overload" for anything else. */
export function isIn(value: CelValue, container: CelValue): boolean {
  if (Array.isArray(container)) {
    return (container as readonly CelValue[]).some((element) => isFound(value, element));
  }
  if (isMap(container)) {
    if (container instanceof CelMap) return container.has(value);
    return typeof value === "string" && Object.hasOwn(container, value);
  }
  throw new CelError("no such overload");
}

/** What cannot be compared with the value is not it (cel-go's Contains). */
function isFound(value: CelValue, element: CelValue): boolean {
  try {
    return equals(value, element);
  } catch (error) {
    if (error instanceof CelError) return false;
    throw error;
  }
}
