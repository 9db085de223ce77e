import type { CelBoxed } from "./boxed.ts";
import { CelError } from "./errors.ts";
import { formatValue } from "./format-value.ts";
import { mapGet } from "./maps.ts";
import {
  CelDouble,
  CelDuration,
  CelMap,
  CelOpaque,
  CelOptional,
  CelRecord,
  CelTimestamp,
  CelType,
  CelUint,
  type CelValue,
  doubleOf,
  isDouble,
  isJsonObject,
  isMap,
  type JsonObject,
} from "./values.ts";

// Selection and indexing. The texts of errors are those of cel-go (interpreter/attributes.go).

/** `value.name`. */
export function readField(value: CelValue, name: string): CelValue {
  if (typeof value === "object" && value !== null) {
    // The quick way for what JSON.parse made.
    if (Object.getPrototypeOf(value) === Object.prototype) {
      const found = Object.hasOwn(value, name) ? (value as JsonObject)[name] : undefined;
      if (found !== undefined) return found;
      throw new CelError(`no such key: ${name}`);
    }
  }
  const found = readFieldIfPresent(value, name);
  if (found === undefined) throw new CelError(`no such key: ${name}`);
  return found;
}

/** `value.name` or undefined where there is nothing of that name, whatever the value is. A list is asked in vain: an error. */
export function readFieldIfPresent(value: CelValue, name: string): CelValue | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (Array.isArray(value)) throw new CelError("unsupported index type 'string' in list");
  if (value instanceof CelRecord) return value.field(name);
  return isMap(value) ? mapGet(value, name) : undefined;
}

/** `has(value.name)`. */
export function hasField(value: CelValue, name: string): boolean {
  if (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.hasOwn(value, name) && (value as JsonObject)[name] !== undefined;
  }
  if (value instanceof CelRecord) return value.hasField(name);
  return readFieldIfPresent(value, name) !== undefined;
}

/** `value[key]`. */
export function readIndex(value: CelValue, key: CelValue): CelValue {
  const found = readIndexIfPresent(value, key);
  if (found !== undefined) return found;
  throw new CelError(`${Array.isArray(value) ? "index out of bounds" : "no such key"}: ${formatValue(key)}`);
}

/** `value[key]` or undefined where there is nothing at that key. Throws for a key that cannot be one. */
export function readIndexIfPresent(value: CelValue, key: CelValue): CelValue | undefined {
  checkKey(key);
  if (Array.isArray(value)) return (value as readonly CelValue[])[listIndex(key)];
  if (typeof value !== "object" || value === null) return undefined;
  if (value instanceof CelRecord) return typeof key === "string" ? value.field(key) : undefined;
  if (value instanceof CelMap) return value.get(key);
  return isMap(value) ? mapGet(value, key) : undefined;
}

/** Throws for a value that can be no key of any list or map. */
export function checkKey(key: CelValue): void {
  if (typeof key !== "object" || key instanceof CelDouble || key instanceof CelUint) return;
  throw new CelError(
    `invalid qualifier type: ${isJsonObject(key) ? "map[string]interface {}" : goTypeName(key)}`,
  );
}

/** A position in a list; -1 for one that no list has. Throws for what is no number at all. */
function listIndex(key: CelValue): number {
  if (typeof key === "number" && Number.isSafeInteger(key)) return key;
  if (typeof key === "bigint") return -1;
  if (key instanceof CelUint) return key.value <= MAX_INDEX ? Number(key.value) : -1;
  if (isDouble(key)) {
    const double = doubleOf(key);
    if (Number.isInteger(double) && Math.abs(double) < 2 ** 63) return double;
    throw new CelError(`unsupported index value ${formatValue(key)} in list`);
  }
  throw new CelError(`unsupported index type '${typeof key === "string" ? "string" : "bool"}' in list`);
}

const MAX_INDEX = BigInt(Number.MAX_SAFE_INTEGER);

export function optionalOf(value: CelValue | undefined): CelOptional {
  return value === undefined ? CelOptional.none : new CelOptional(value);
}

/** What Go's `%T` prints of a value, which a few messages of cel-go show. */
export function goTypeName(value: CelValue): string {
  switch (typeof value) {
    case "boolean":
      return "types.Bool";
    case "string":
      return "types.String";
    case "bigint":
      return "types.Int";
    case "number":
      return Number.isSafeInteger(value) ? "types.Int" : "types.Double";
    default:
      return goObjectTypeName(value);
  }
}

function goObjectTypeName(value: CelValue): string {
  if (value === null) return "types.Null";
  if (Array.isArray(value)) return "*types.baseList";
  if (value instanceof Uint8Array) return "types.Bytes";
  if (isMap(value)) return "*types.baseMap";
  if (value instanceof CelOpaque) return `cel.${value.type.name.replace(/^.*\./, "")}`;
  return goTypes.find(([type]) => value instanceof type)?.[1] ?? "types.Object";
}

const goTypes: readonly (readonly [abstract new (...args: never) => CelBoxed, string])[] = [
  [CelDouble, "types.Double"],
  [CelUint, "types.Uint"],
  [CelTimestamp, "types.Timestamp"],
  [CelDuration, "types.Duration"],
  [CelOptional, "*types.Optional"],
  [CelType, "*types.Type"],
];
