import { CelError } from "../errors.ts";
import { mapEntries } from "../maps.ts";
import { compareStrings } from "../ordering.ts";
import { toText } from "../standard/conversions.ts";
import { formatDuration } from "../standard/duration.ts";
import { formatGoFixed } from "../standard/go-numbers.ts";
import { formatTimestamp } from "../standard/time.ts";
import {
  CelDuration,
  CelTimestamp,
  CelType,
  CelUint,
  type CelValue,
  doubleOf,
  isDouble,
  isInt,
  isMap,
  typeOf,
} from "../values.ts";
import { spend, workOf } from "../work.ts";
import { groupThousands, superscript, toExactFixed, toExponent } from "./decimal-text.ts";
import { quoteGo } from "./text.ts";

/** How `format` writes values. cel-go changed it in version 4 of its strings library; Kubernetes keeps the older way. */
export interface FormatStyle {
  readonly text: (value: CelValue) => string;
  readonly decimal: (value: CelValue) => string;
  readonly fixed: (value: CelValue, precision: number) => string;
  readonly scientific: (value: CelValue, precision: number) => string;
  readonly maxPrecision: number;
  readonly binaryError: string;
  readonly octalError: string;
  readonly hexError: string;
}

/** What writing an element of a list or map takes, in units of work.ts. */
const ELEMENT_WORK = 4;
/** Values nested deeper than this are not written. */
const MAX_DEPTH = 500;
const STRING_ERROR =
  "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps";

const wrong = (message: string, value: CelValue): CelError =>
  new CelError(`${message}, was given ${typeOf(value).name}`);

function integerText(value: CelValue): string | undefined {
  if (isInt(value)) return String(value);
  return value instanceof CelUint ? String(value.value) : undefined;
}

/** The double in a value, or in one of the strings that stand for a special one. */
function localizedDouble(value: CelValue, message: string): number {
  // Adding 0 takes the sign from -0, which localized numbers do not show.
  if (isDouble(value)) return doubleOf(value) + 0;
  if (value === "NaN" || value === "Infinity" || value === "-Infinity") return Number(value);
  throw wrong(message, value);
}

function special(value: number, infinity: string): string | undefined {
  if (Number.isNaN(value)) return "NaN";
  if (value === Infinity) return infinity;
  return value === -Infinity ? `-${infinity}` : undefined;
}

/** Elements of lists and maps, written so that types can be told apart. */
function localizedElement(value: CelValue, depth: number): string {
  spend(ELEMENT_WORK);
  if (depth > MAX_DEPTH) throw new CelError("value nested too deeply to format");
  if (typeof value === "string") return quoteGo(value);
  if (isDouble(value)) {
    const double = doubleOf(value);
    const word = special(double, "+Inf");
    return word === undefined ? toExactFixed(double, 6) : quoteGo(word);
  }
  if (value instanceof CelTimestamp) return `timestamp(${quoteGo(formatTimestamp(value))})`;
  if (value instanceof CelDuration) return `duration(${quoteGo(formatDuration(value.nanoseconds))})`;
  if (value instanceof Uint8Array) return `b${quoteGo(toText(value))}`;
  const integer = integerText(value);
  if (integer !== undefined) return integer;
  if (
    typeof value === "boolean" ||
    value === null ||
    value instanceof CelType ||
    Array.isArray(value) ||
    isMap(value)
  ) {
    return localizedText(value, depth);
  }
  throw new CelError(`no formatting function for ${typeOf(value).name}`);
}

function localizedKey(key: CelValue): string {
  if (typeof key === "string") return quoteGo(key);
  if (typeof key === "boolean") return String(key);
  const integer = integerText(key);
  if (integer === undefined)
    throw new CelError(`no formatting function for map key of type ${typeOf(key).name}`);
  return integer;
}

function localizedText(value: CelValue, depth = 0): string {
  if (value === null) return "null";
  if (Array.isArray(value)) {
    return `[${(value as readonly CelValue[]).map((element) => localizedElement(element, depth + 1)).join(", ")}]`;
  }
  if (isMap(value)) return writeMap(value, ":", localizedKey, (held) => localizedElement(held, depth + 1));
  if (!hasText(value)) throw wrong(STRING_ERROR, value);
  return toText(value);
}

function hasText(value: CelValue): boolean {
  return (
    typeof value !== "object" ||
    isDouble(value) ||
    value instanceof CelUint ||
    value instanceof Uint8Array ||
    value instanceof CelTimestamp ||
    value instanceof CelDuration ||
    value instanceof CelType
  );
}

function writeMap(
  map: Parameters<typeof mapEntries>[0],
  colon: string,
  writeKey: (key: CelValue) => string,
  writeValue: (value: CelValue) => string,
): string {
  const entries = Array.from(mapEntries(map), ([key, value]) => [writeKey(key), writeValue(value)] as const);
  entries.sort(([a], [b]) => compareStrings(a, b));
  return `{${entries.map(([key, value]) => `${key}${colon}${value}`).join(", ")}}`;
}

/** The older way, with the digits of doubles grouped as in American English. */
export const LOCALIZED: FormatStyle = {
  text: (value) => localizedText(value),
  decimal: (value) => {
    const integer = integerText(value);
    if (integer === undefined) throw wrong("decimal clause can only be used on integers", value);
    return integer;
  },
  fixed: (value, precision) => {
    const double = localizedDouble(value, "fixed-point clause can only be used on doubles");
    return special(double, "∞") ?? groupThousands(toExactFixed(double, precision));
  },
  scientific: (value, precision) => {
    const double = localizedDouble(value, "scientific clause can only be used on doubles");
    // What is written as a precision is taken for a width (fmtStr of Scientific in cel-go ext/formatting.go).
    const word = special(double, "∞");
    if (word !== undefined) return word.padStart(precision);
    const { mantissa, exponent } = toExponent(double, 6);
    return `${mantissa}×10${superscript(exponent)}`.padStart(precision);
  },
  maxPrecision: 1000,
  binaryError: "only integers and bools can be formatted as binary",
  octalError: "octal clause can only be used on integers",
  hexError: "only integers, byte buffers, and strings can be formatted as hex",
};

function plainDouble(value: CelValue, message: string): number {
  if (isDouble(value)) return doubleOf(value);
  if (isInt(value)) return Number(value);
  if (value instanceof CelUint) return Number(value.value);
  throw wrong(message, value);
}

function plainText(value: CelValue, depth = 0): string {
  spend(ELEMENT_WORK + workOf(value));
  if (depth > MAX_DEPTH) throw new CelError("value nested too deeply to format");
  if (value === null) return "null";
  if (isDouble(value)) {
    const double = doubleOf(value);
    return special(double, "Infinity") ?? formatGoFixed(double);
  }
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  if (value instanceof CelTimestamp) return formatTimestamp(new CelTimestamp(value.seconds, value.nanos));
  if (Array.isArray(value)) {
    return `[${(value as readonly CelValue[]).map((element) => plainText(element, depth + 1)).join(", ")}]`;
  }
  if (isMap(value)) {
    const write = (held: CelValue): string => plainText(held, depth + 1);
    return writeMap(value, ": ", write, write);
  }
  if (!hasText(value)) throw wrong(STRING_ERROR, value);
  return toText(value);
}

/** The newer way. */
export const PLAIN: FormatStyle = {
  text: (value) => plainText(value),
  decimal: (value) => {
    const integer = integerText(value);
    if (integer !== undefined) return integer;
    const double = plainDouble(value, "decimal clause can only be used on ints, uints, and doubles");
    return special(double, "Infinity") ?? formatGoFixed(double);
  },
  fixed: (value, precision) => {
    const double = plainDouble(value, "fixed-point clause can only be used on ints, uints, and doubles");
    return special(double, "Infinity") ?? toExactFixed(double, precision);
  },
  scientific: (value, precision) => {
    const double = plainDouble(value, "scientific clause can only be used on ints, uints, and doubles");
    const word = special(double, "Infinity");
    if (word !== undefined) return word;
    const { mantissa, exponent } = toExponent(double, precision);
    return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  },
  maxPrecision: 100,
  binaryError: "only ints, uints, and bools can be formatted as binary",
  octalError: "octal clause can only be used on ints and uints",
  hexError: "only ints, uints, bytes, and strings can be formatted as hex",
};
