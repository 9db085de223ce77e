import { CelError } from "../errors.ts";
import type { Overload } from "../library.ts";
import { costSize, traversalCost } from "../size.ts";
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  STRING,
  TIMESTAMP,
  TYPE,
  typeParam,
  typeType,
  UINT,
} from "../types.ts";
import {
  CelDuration,
  CelTimestamp,
  CelType as CelTypeValue,
  CelUint,
  type CelValue,
  doubleOf,
  INT_MAX,
  INT_MIN,
  isDouble,
  isInt,
  makeDouble,
  makeInt,
  makeUint,
  typeOf,
  UINT_MAX,
} from "../values.ts";
import { formatDuration, parseGoDuration } from "./duration.ts";
import { formatGoG, parseGoFloat, parseGoInteger, parseGoUnsigned } from "./go-numbers.ts";
import { formatTimestamp, makeTimestamp, parseTimestamp } from "./time.ts";

/** Functions that the API server evaluates at once when their argument is constant (cel.OptOptimize). */
export const CONVERSION_FUNCTIONS: ReadonlySet<string> = new Set([
  "bool",
  "bytes",
  "double",
  "duration",
  "dyn",
  "int",
  "string",
  "timestamp",
  "type",
  "uint",
]);

function cannot(from: string, to: CelType): CelError {
  return new CelError(`type conversion error from '${from}' to '${to.name}'`);
}

export function toInt(value: CelValue): CelValue {
  if (isInt(value)) return value;
  if (value instanceof CelUint) return makeInt(value.value);
  if (isDouble(value)) return doubleToInt(doubleOf(value));
  if (value instanceof CelTimestamp) return value.seconds;
  if (value instanceof CelDuration) return makeInt(value.nanoseconds);
  if (typeof value === "string") {
    const parsed = parseGoInteger(value);
    if (parsed !== undefined && parsed >= INT_MIN && parsed <= INT_MAX) return makeInt(parsed);
  }
  throw cannot(typeOf(value).name, INT);
}

/** Truncates; both ends of the int64 range are out, since a double does not tell them from what lies beyond. */
function doubleToInt(value: number): CelValue {
  if (!(value > -(2 ** 63) && value < 2 ** 63)) throw new CelError("integer overflow");
  return makeInt(BigInt(Math.trunc(value)));
}

export function toUint(value: CelValue): CelValue {
  if (value instanceof CelUint) return value;
  if (isInt(value)) return makeUint(value);
  if (isDouble(value)) {
    const double = doubleOf(value);
    if (!(double >= 0 && double < 2 ** 64)) throw new CelError("unsigned integer overflow");
    return makeUint(BigInt(Math.trunc(double)));
  }
  if (typeof value === "string") {
    const parsed = parseGoUnsigned(value);
    if (parsed !== undefined && parsed <= UINT_MAX) return new CelUint(parsed);
  }
  throw cannot(typeOf(value).name, UINT);
}

export function toDouble(value: CelValue): CelValue {
  if (isDouble(value)) return value;
  if (isInt(value)) return makeDouble(Number(value));
  if (value instanceof CelUint) return makeDouble(Number(value.value));
  if (typeof value === "string") {
    const parsed = parseGoFloat(value);
    if (parsed !== undefined) return makeDouble(parsed);
  }
  throw cannot(typeOf(value).name, DOUBLE);
}

export function toText(value: CelValue): string {
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  if (isInt(value)) return String(value);
  if (isDouble(value)) return formatGoG(doubleOf(value));
  if (value instanceof CelUint) return String(value.value);
  if (value instanceof Uint8Array) return decodeUtf8(value);
  if (value instanceof CelTimestamp) return formatTimestamp(value);
  if (value instanceof CelDuration) return formatDuration(value.nanoseconds);
  if (value instanceof CelTypeValue) return value.name;
  throw cannot(typeOf(value).name, STRING);
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) throw new CelError("invalid UTF-8 in bytes, cannot convert to string");
    throw error;
  }
}

const TRUE_WORDS: ReadonlySet<string> = new Set(["1", "t", "T", "true", "TRUE", "True"]);
const FALSE_WORDS: ReadonlySet<string> = new Set(["0", "f", "F", "false", "FALSE", "False"]);

function toBool(value: CelValue): CelValue {
  if (typeof value === "boolean") return value;
  if (typeof value === "string") {
    if (TRUE_WORDS.has(value)) return true;
    if (FALSE_WORDS.has(value)) return false;
  }
  throw cannot(typeOf(value).name, BOOL);
}

const encoder = new TextEncoder();

function toBytes(value: CelValue): CelValue {
  if (value instanceof Uint8Array) return value;
  if (typeof value === "string") return encoder.encode(value);
  throw cannot(typeOf(value).name, BYTES);
}

function toDuration(value: CelValue): CelValue {
  if (value instanceof CelDuration) return value;
  const nanoseconds = typeof value === "string" ? parseGoDuration(value) : undefined;
  if (nanoseconds === undefined) throw cannot(typeOf(value).name, DURATION);
  return new CelDuration(nanoseconds);
}

function toTimestamp(value: CelValue): CelValue {
  if (value instanceof CelTimestamp) return value;
  if (isInt(value)) return makeTimestamp(Number(value), 0);
  const timestamp = typeof value === "string" ? parseTimestamp(value) : undefined;
  if (timestamp === undefined) throw cannot(typeOf(value).name, TIMESTAMP);
  return timestamp;
}

/** The type of a value as a value; types of types are `type`. */
export function toType(value: CelValue): CelValue {
  return value instanceof CelTypeValue ? TYPE : typeOf(value);
}

const identity = (value: CelValue): CelValue => value;

/** What reading a character of a duration takes, in units of work.ts: each may be a part with a unit of its own. */
const DURATION_WORK = 8;

function conversion(id: string, from: CelType, to: CelType, call: (value: CelValue) => CelValue): Overload {
  return { id, isMember: false, params: [from], result: to, call };
}

/** Reading a whole string or bytes costs by its length. */
function withTraversal(overload: Overload): Overload {
  return { ...overload, cost: (args) => traversalCost(costSize(args[0] ?? null)), isCostStatic: true };
}

const A = typeParam("A");

export const CONVERSIONS: Readonly<Record<string, readonly Overload[]>> = {
  type: [conversion("type", A, typeType(A), toType)],
  dyn: [conversion("to_dyn", A, DYN, identity)],
  bool: [
    conversion("bool_to_bool", BOOL, BOOL, identity),
    conversion("string_to_bool", STRING, BOOL, toBool),
  ],
  bytes: [
    conversion("bytes_to_bytes", BYTES, BYTES, identity),
    withTraversal(conversion("string_to_bytes", STRING, BYTES, toBytes)),
  ],
  double: [
    conversion("double_to_double", DOUBLE, DOUBLE, identity),
    conversion("int64_to_double", INT, DOUBLE, toDouble),
    conversion("string_to_double", STRING, DOUBLE, toDouble),
    conversion("uint64_to_double", UINT, DOUBLE, toDouble),
  ],
  duration: [
    conversion("duration_to_duration", DURATION, DURATION, identity),
    {
      ...conversion("string_to_duration", STRING, DURATION, toDuration),
      work: (text = null) => (typeof text === "string" ? text.length * DURATION_WORK : 0),
    },
  ],
  int: [
    conversion("int64_to_int64", INT, INT, identity),
    conversion("double_to_int64", DOUBLE, INT, toInt),
    conversion("duration_to_int64", DURATION, INT, toInt),
    conversion("string_to_int64", STRING, INT, toInt),
    conversion("timestamp_to_int64", TIMESTAMP, INT, toInt),
    conversion("uint64_to_int64", UINT, INT, toInt),
  ],
  string: [
    conversion("string_to_string", STRING, STRING, identity),
    conversion("bool_to_string", BOOL, STRING, toText),
    withTraversal(conversion("bytes_to_string", BYTES, STRING, toText)),
    conversion("double_to_string", DOUBLE, STRING, toText),
    conversion("duration_to_string", DURATION, STRING, toText),
    conversion("int64_to_string", INT, STRING, toText),
    conversion("timestamp_to_string", TIMESTAMP, STRING, toText),
    conversion("uint64_to_string", UINT, STRING, toText),
  ],
  timestamp: [
    conversion("timestamp_to_timestamp", TIMESTAMP, TIMESTAMP, identity),
    conversion("int64_to_timestamp", INT, TIMESTAMP, toTimestamp),
    conversion("string_to_timestamp", STRING, TIMESTAMP, toTimestamp),
  ],
  uint: [
    conversion("uint64_to_uint64", UINT, UINT, identity),
    conversion("double_to_uint64", DOUBLE, UINT, toUint),
    conversion("int64_to_uint64", INT, UINT, toUint),
    conversion("string_to_uint64", STRING, UINT, toUint),
  ],
};
