import { CelBoxed } from "./boxed.ts";
import { CelError } from "./errors.ts";
import {
  BOOL,
  BYTES,
  CelType,
  DOUBLE,
  DURATION,
  INT,
  LIST,
  MAP,
  NULL,
  opaqueType,
  STRING,
  structType,
  TIMESTAMP,
  TYPE,
  UINT,
} from "./types.ts";

export { CelBoxed } from "./boxed.ts";
export { CelType } from "./types.ts";

/** A JSON object as it comes with a request. Only its own keys count: read it through `mapGet`, never by `[key]`. */
export interface JsonObject {
  readonly [key: string]: CelValue;
}

/**
 * A CEL value. JSON is used as it is:
 * - an int is a safe-integer `number`, or a `bigint` outside that range (always made by `makeInt`);
 * - a double is any other `number`, or a `CelDouble` when its value looks like an int (always made by `makeDouble`);
 * - a map is a JSON object or a `CelMap`.
 */
export type CelValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly CelValue[]
  | JsonObject
  | CelBoxed;

export const INT_MIN = -(2n ** 63n);
export const INT_MAX = 2n ** 63n - 1n;
export const UINT_MAX = 2n ** 64n - 1n;

const SAFE_MIN = BigInt(Number.MIN_SAFE_INTEGER);
const SAFE_MAX = BigInt(Number.MAX_SAFE_INTEGER);

/** The int of this value. Throws "integer overflow" outside int64; a `number` must be integral. */
export function makeInt(value: bigint | number): number | bigint {
  if (typeof value === "number") {
    // Adding 0 turns -0 (a double in CEL) into 0.
    if (Number.isSafeInteger(value)) return value + 0;
    if (!Number.isInteger(value)) throw new CelError("integer overflow");
    return makeInt(BigInt(value));
  }
  if (value >= SAFE_MIN && value <= SAFE_MAX) return Number(value);
  if (value < INT_MIN || value > INT_MAX) throw new CelError("integer overflow");
  return value;
}

/** The double of this value, boxed when the bare number would be taken for an int. */
export function makeDouble(value: number): number | CelDouble {
  return Number.isSafeInteger(value) ? new CelDouble(value) : value;
}

/** Throws "unsigned integer overflow" outside uint64. */
export function makeUint(value: bigint | number): CelUint {
  const wide = typeof value === "bigint" ? value : BigInt(value);
  if (wide < 0n || wide > UINT_MAX) throw new CelError("unsigned integer overflow");
  return new CelUint(wide);
}

/** A double whose value is a safe integer (including -0). Made by `makeDouble` only. */
export class CelDouble extends CelBoxed {
  readonly value: number;
  constructor(value: number) {
    super();
    this.value = value;
  }
}

export class CelUint extends CelBoxed {
  readonly value: bigint;
  constructor(value: bigint) {
    super();
    this.value = value;
  }
}

/** A point in time: Unix seconds and, always counted forward from them, 0 to 999,999,999 nanoseconds. */
export class CelTimestamp extends CelBoxed {
  readonly seconds: number;
  readonly nanos: number;
  /** Seconds east of UTC that the time was written with: it only shows in `string(t)`, as in Go. */
  readonly offsetSeconds: number;
  constructor(seconds: number | bigint, nanos = 0, offsetSeconds = 0) {
    super();
    this.seconds = Number(seconds);
    this.nanos = nanos;
    this.offsetSeconds = offsetSeconds;
  }
}

export class CelDuration extends CelBoxed {
  readonly nanoseconds: bigint;
  constructor(nanoseconds: bigint) {
    super();
    this.nanoseconds = nanoseconds;
  }
}

/** `optional.of(x)` or `optional.none()`. */
export class CelOptional extends CelBoxed {
  static readonly none = new CelOptional(undefined);
  /** undefined: none. */
  readonly value: CelValue | undefined;
  constructor(value: CelValue | undefined) {
    super();
    this.value = value;
  }
}

/** A value that a library adds (URL, quantity, authorizer…). */
export abstract class CelOpaque extends CelBoxed {
  abstract readonly type: CelType;
  /** What it takes to go through the value once, in units of work.ts. */
  readonly work: number = 1;
  abstract equals(other: CelValue): boolean;
}

/**
 * An object with named fields that is no map: an expression selects from it and tests it with `has()`. The fields
 * may be computed when asked for, as the variables of an admission policy are.
 */
export abstract class CelRecord extends CelBoxed {
  abstract readonly typeName: string;
  /** undefined: the field is not set. Throws `CelError` when it has no value. */
  abstract field(name: string): CelValue | undefined;
  /** Told apart from `field` where a field's value is dear and only its presence is asked for. */
  hasField(name: string): boolean {
    return this.field(name) !== undefined;
  }
}

/** What `TypeName{field: value}` builds when its type says nothing else. */
export class CelStruct extends CelRecord {
  readonly typeName: string;
  readonly fields: ReadonlyMap<string, CelValue>;
  constructor(typeName: string, fields: ReadonlyMap<string, CelValue>) {
    super();
    this.typeName = typeName;
    this.fields = fields;
  }

  field(name: string): CelValue | undefined {
    return this.fields.get(name);
  }
}

/** A key as `CelMap` files it: numerically equal ints, uints and doubles are one key. */
export type MapKey = string | boolean | number | bigint;

/** A map made by an expression: any key type, in the order the entries were written. */
export class CelMap extends CelBoxed {
  readonly #entries = new Map<MapKey, readonly [CelValue, CelValue]>();

  /** Throws `CelError` for a key type that maps cannot have. The last of equal keys wins. */
  static of(entries: Iterable<readonly [CelValue, CelValue]>): CelMap {
    const map = new CelMap();
    for (const entry of entries) {
      const key = mapKey(entry[0]);
      if (key === undefined) throw new CelError(`unsupported key type: ${typeOf(entry[0]).name}`);
      map.#entries.set(key, entry);
    }
    return map;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: CelValue): CelValue | undefined {
    const filed = mapKey(key);
    return filed === undefined ? undefined : this.#entries.get(filed)?.[1];
  }

  has(key: CelValue): boolean {
    const filed = mapKey(key);
    return filed !== undefined && this.#entries.has(filed);
  }

  keys(): CelValue[] {
    return Array.from(this.#entries.values(), ([key]) => key);
  }

  entries(): Iterable<readonly [CelValue, CelValue]> {
    return this.#entries.values();
  }
}

/** How `CelMap` files a key; undefined for what cannot be a key (a double only looks one up). */
export function mapKey(key: CelValue): MapKey | undefined {
  switch (typeof key) {
    case "string":
    case "boolean":
    case "bigint":
    case "number":
      return key;
    default:
      if (key instanceof CelDouble) return key.value + 0;
      if (key instanceof CelUint) {
        return key.value <= SAFE_MAX ? Number(key.value) : key.value;
      }
      return undefined;
  }
}

export const isInt = (value: CelValue): value is number | bigint =>
  typeof value === "number" ? Number.isSafeInteger(value) : typeof value === "bigint";

export const isDouble = (value: CelValue): value is number | CelDouble =>
  typeof value === "number" ? !Number.isSafeInteger(value) : value instanceof CelDouble;

export const isList = (value: CelValue): value is readonly CelValue[] => Array.isArray(value);

/** A map in the form of a JSON object. */
export const isJsonObject = (value: CelValue): value is JsonObject =>
  typeof value === "object" &&
  value !== null &&
  !(value instanceof CelBoxed) &&
  !Array.isArray(value) &&
  !(value instanceof Uint8Array);

export const isMap = (value: CelValue): value is JsonObject | CelMap =>
  value instanceof CelMap || isJsonObject(value);

/** The number in a double. */
export const doubleOf = (value: number | CelDouble): number =>
  typeof value === "number" ? value : value.value;

/** The run-time type, as `type(x)` gives it: element types are not looked at. */
export function typeOf(value: CelValue): CelType {
  switch (typeof value) {
    case "string":
      return STRING;
    case "boolean":
      return BOOL;
    case "bigint":
      return INT;
    case "number":
      return Number.isSafeInteger(value) ? INT : DOUBLE;
    default:
      return objectTypeOf(value);
  }
}

const OPTIONAL = opaqueType("optional_type");

function objectTypeOf(value: CelValue): CelType {
  if (value === null || value === undefined) return NULL;
  if (Array.isArray(value)) return LIST;
  if (value instanceof Uint8Array) return BYTES;
  if (!(value instanceof CelBoxed)) return MAP;
  if (value instanceof CelOpaque) return value.type;
  if (value instanceof CelMap) return MAP;
  if (value instanceof CelDouble) return DOUBLE;
  if (value instanceof CelUint) return UINT;
  if (value instanceof CelTimestamp) return TIMESTAMP;
  if (value instanceof CelDuration) return DURATION;
  if (value instanceof CelType) return TYPE;
  if (value instanceof CelOptional) return OPTIONAL;
  if (value instanceof CelRecord) return structType(value.typeName);
  throw new CelError("not a CEL value");
}
