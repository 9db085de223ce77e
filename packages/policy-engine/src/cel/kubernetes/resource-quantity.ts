import { flatCopy } from "../../flat-copy.ts";
import { CelError } from "../errors.ts";
import { type Parsed, parsed, unparsed } from "./parsed.ts";

/**
 * Quantities (`100m`, `1.5Gi`, `12e6`) as apimachinery's pkg/api/resource reads and compares them, in exact
 * arithmetic. The two forms a quantity has there are kept apart, since policies can see them: only the int64 form
 * has an integer value, so `quantity("1Ei").isInteger()` is false although 2^60 fits.
 */
export interface Quantity {
  /** `decimal`: the server keeps it as an arbitrary-precision decimal (`inf.Dec`). */
  readonly form: "int64" | "decimal";
  /** The value is `unscaled * 10^exponent`. */
  readonly unscaled: bigint;
  readonly exponent: number;
}

/** The texts of the errors of `resource.ParseQuantity`. */
export const quantityErrors = {
  format: "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
  number: "unable to parse numeric part of quantity",
  suffix: "unable to parse quantity's suffix",
} as const;

const int64Max = 2n ** 63n - 1n;

const fitsInt64 = (value: bigint): boolean => BigInt.asIntN(64, value) === value;

/**
 * Powers of ten beyond this are refused: the server would try to write them out in full. No quantity that means
 * something comes near it.
 */
const maxDigits = 10_000;
const tooManyDigits = `quantity is out of range: more than ${maxDigits} digits`;

interface Scale {
  readonly base: 2 | 10;
  readonly exponent: number;
}

const suffixes: ReadonlyMap<string, Scale> = new Map([
  ["n", { base: 10, exponent: -9 }],
  ["u", { base: 10, exponent: -6 }],
  ["m", { base: 10, exponent: -3 }],
  ["", { base: 10, exponent: 0 }],
  ["k", { base: 10, exponent: 3 }],
  ["M", { base: 10, exponent: 6 }],
  ["G", { base: 10, exponent: 9 }],
  ["T", { base: 10, exponent: 12 }],
  ["P", { base: 10, exponent: 15 }],
  ["E", { base: 10, exponent: 18 }],
  ["Ki", { base: 2, exponent: 10 }],
  ["Mi", { base: 2, exponent: 20 }],
  ["Gi", { base: 2, exponent: 30 }],
  ["Ti", { base: 2, exponent: 40 }],
  ["Pi", { base: 2, exponent: 50 }],
  ["Ei", { base: 2, exponent: 60 }],
]);

function parseSuffix(suffix: string): Scale | undefined {
  const known = suffixes.get(suffix);
  if (known !== undefined) return known;
  const power = /^[eE]([+-]?[0-9]+)$/.exec(suffix)?.[1];
  if (power === undefined) return undefined;
  const exponent = BigInt(power.startsWith("+") ? power.slice(1) : power);
  // The server cuts the int64 down to an int32, so 2^32 more is the same exponent.
  return fitsInt64(exponent) ? { base: 10, exponent: Number(BigInt.asIntN(32, exponent)) } : undefined;
}

interface QuantityText {
  readonly negative: boolean;
  /** Digits before the point, leading zeros left out; "0" for none. */
  readonly whole: string;
  /** Digits behind the point. */
  readonly fraction: string;
  /** Whether there is a digit at all ("." and "+" are quantities without one). */
  readonly hasDigits: boolean;
  readonly suffix: string;
}

/** The end of the run of `characters` that starts at `from`. A pattern would backtrack: digits may stand in three places. */
function runEnd(text: string, from: number, characters: string): number {
  let end = from;
  while (end < text.length && characters.includes(text.charAt(end))) end++;
  return end;
}

const digits = "0123456789";

function splitQuantity(text: string): QuantityText | undefined {
  const signed = text.startsWith("-") || text.startsWith("+") ? 1 : 0;
  const zerosEnd = runEnd(text, signed, "0");
  const wholeEnd = runEnd(text, zerosEnd, digits);
  const fractionStart = text.charAt(wholeEnd) === "." ? wholeEnd + 1 : wholeEnd;
  const fractionEnd = fractionStart === wholeEnd ? wholeEnd : runEnd(text, fractionStart, digits);
  const lettersEnd = runEnd(text, fractionEnd, "eEinumkKMGTP");
  const suffixSigned = "+-".includes(text.charAt(lettersEnd) || "?") ? 1 : 0;
  if (runEnd(text, lettersEnd + suffixSigned, digits) < text.length) return undefined;
  return {
    negative: text.startsWith("-"),
    whole: text.slice(zerosEnd, wholeEnd) || "0",
    fraction: text.slice(fractionStart, fractionEnd),
    hasDigits: wholeEnd > signed || fractionEnd > fractionStart,
    suffix: text.slice(fractionEnd),
  };
}

/** Longer texts are not read (the server would): an amount of that many digits is an attack. */
const maxTextLength = 100_000;

/**
 * What was read lately, by its text: amounts in policies stay the same, those in objects repeat. Few and short, so that
 * texts made up by the thousand fill no memory.
 */
const known = new Map<string, Parsed<Quantity>>();
const mostKnown = 512;
const longestKnown = 32;

/** Reads a quantity; the error is the text of the error that `resource.ParseQuantity` returns. */
export function parseQuantity(text: string): Parsed<Quantity> {
  const found = known.get(text);
  if (found !== undefined) return found;
  const read = readQuantity(text);
  if (text.length > longestKnown) return read;
  if (known.size >= mostKnown) known.clear();
  known.set(flatCopy(text), read);
  return read;
}

function readQuantity(text: string): Parsed<Quantity> {
  if (text === "") return unparsed(quantityErrors.format);
  if (text.length > maxTextLength) return unparsed(`quantity is longer than ${maxTextLength} characters`);
  const split = splitQuantity(text);
  if (split === undefined) return unparsed(quantityErrors.format);
  const scale = parseSuffix(split.suffix);
  if (scale === undefined) return unparsed(quantityErrors.suffix);
  const small = asInt64Quantity(split, scale);
  if (small !== undefined) return parsed(small);
  // Where int64 has room, a lone sign or point reads as zero; the decimal reader insists on a digit.
  if (!split.hasDigits) return unparsed(quantityErrors.number);
  if (scale.exponent > maxDigits) return unparsed(tooManyDigits);
  return parsed(asDecimalQuantity(split, scale));
}

/** The int64 form, for numbers the server is sure to have room for; undefined for others. */
function asInt64Quantity({ negative, whole, fraction }: QuantityText, scale: Scale): Quantity | undefined {
  // The estimates are the server's own: rough, and part of what decides `isInteger`.
  if (scale.base === 2) {
    if (fraction !== "" || 14 - whole.length - Math.trunc((scale.exponent * 3) / 10) < 0) return undefined;
  } else if (whole.length + fraction.length > 18) {
    return undefined;
  }
  const exponent = scale.base === 2 ? 0 : BigInt.asIntN(32, BigInt(scale.exponent - fraction.length));
  if (exponent < -9) return undefined;
  const factor = scale.base === 2 ? 2n ** BigInt(scale.exponent) : 1n;
  const unscaled = BigInt(whole + fraction) * factor;
  if (unscaled > int64Max) return undefined;
  return { form: "int64", unscaled: negative ? -unscaled : unscaled, exponent: Number(exponent) };
}

/** The decimal form: rounded away from zero to nano, binary amounts capped at the largest int64. */
function asDecimalQuantity({ negative, whole, fraction }: QuantityText, scale: Scale): Quantity {
  let unscaled = BigInt(whole + fraction);
  let exponent = -fraction.length;
  if (scale.base === 10) exponent += scale.exponent;
  else unscaled *= 2n ** BigInt(scale.exponent);
  if (unscaled !== 0n) {
    unscaled = exponent >= -9 ? unscaled * power10(exponent + 9) : divideUp(unscaled, -9 - exponent);
    exponent = -9;
  }
  if (scale.base === 2 && compareMagnitudes(unscaled, exponent, int64Max, 0) > 0) {
    unscaled = int64Max;
    exponent = 0;
  }
  return { form: "decimal", unscaled: negative ? -unscaled : unscaled, exponent };
}

function power10(exponent: number): bigint {
  if (exponent > maxDigits + 9) throw new CelError(tooManyDigits);
  return 10n ** BigInt(exponent);
}

/** `value / 10^digits` for a positive value, rounded up. */
function divideUp(value: bigint, digits: number): bigint {
  if (digits > decimalLength(value)) return 1n;
  const divisor = 10n ** BigInt(digits);
  return (value + divisor - 1n) / divisor;
}

/** Number of decimal digits. */
function decimalLength(value: bigint): number {
  return (value < 0n ? -value : value).toString().length;
}

/** -1, 0 or 1. */
export function quantitySign({ unscaled }: Quantity): number {
  if (unscaled === 0n) return 0;
  return unscaled > 0n ? 1 : -1;
}

/** Compares two values above zero without writing out powers of ten that the comparison does not need. */
function compareMagnitudes(a: bigint, aExponent: number, b: bigint, bExponent: number): number {
  if (a === 0n || b === 0n) return a === b ? 0 : a === 0n ? -1 : 1;
  if (aExponent === bExponent) return a === b ? 0 : a < b ? -1 : 1;
  const lengths = decimalLength(a) + aExponent - (decimalLength(b) + bExponent);
  if (lengths !== 0) return Math.sign(lengths);
  const shift = aExponent - bExponent;
  const left = shift > 0 ? a * 10n ** BigInt(shift) : a;
  const right = shift < 0 ? b * 10n ** BigInt(-shift) : b;
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** -1, 0 or 1, exactly. */
export function compareQuantities(a: Quantity, b: Quantity): number {
  const sign = quantitySign(a);
  if (sign !== quantitySign(b)) return Math.sign(sign - quantitySign(b));
  const left = sign < 0 ? -a.unscaled : a.unscaled;
  const right = sign < 0 ? -b.unscaled : b.unscaled;
  const order = compareMagnitudes(left, a.exponent, right, b.exponent);
  // Not a product: -1 times 0 is -0, which is no int in CEL.
  return sign < 0 ? 0 - order : order;
}

/** The sum; in decimal form when either is, or when int64 has no room for it. */
export function addQuantities(a: Quantity, b: Quantity): Quantity {
  if (a.form === "int64" && b.form === "int64") {
    const sum = addInt64(a, b);
    if (sum !== undefined) return sum;
  }
  const exponent = Math.min(a.exponent, b.exponent);
  const unscaled = rescale(a, exponent) + rescale(b, exponent);
  return { form: "decimal", unscaled, exponent };
}

function rescale({ unscaled, exponent }: Quantity, to: number): bigint {
  return unscaled === 0n ? 0n : unscaled * power10(exponent - to);
}

function addInt64(a: Quantity, b: Quantity): Quantity | undefined {
  if (b.unscaled === 0n) return a;
  if (a.unscaled === 0n) return b;
  const exponent = Math.min(a.exponent, b.exponent);
  const left = rescaleInt64(a, exponent);
  const right = rescaleInt64(b, exponent);
  if (left === undefined || right === undefined || !fitsInt64(left + right)) return undefined;
  return { form: "int64", unscaled: left + right, exponent };
}

/** `unscaled` at a lower exponent, or undefined where int64 has no room for it. */
function rescaleInt64({ unscaled, exponent }: Quantity, to: number): bigint | undefined {
  if (exponent === to) return unscaled;
  // 10^19 is above any int64.
  if (exponent - to > 18) return undefined;
  const scaled = unscaled * 10n ** BigInt(exponent - to);
  return fitsInt64(scaled) ? scaled : undefined;
}

export function subtractQuantities(a: Quantity, b: Quantity): Quantity {
  const negated = -b.unscaled;
  if (b.form === "decimal" || a.form === "decimal") return addQuantities(a, { ...b, unscaled: negated });
  // The smallest int64 has no negative: in 64 bits it stays what it is, and the server subtracts it as such.
  const sum = addInt64(a, { ...b, unscaled: BigInt.asIntN(64, negated) });
  return sum ?? addQuantities({ ...a, form: "decimal" }, { ...b, unscaled: negated });
}

/** The quantity of an int. */
export function quantityOfInt(value: bigint): Quantity {
  return { form: "int64", unscaled: value, exponent: 0 };
}

/** The value as an int64; undefined when it is none, or the quantity is not in int64 form. */
export function quantityAsInteger(quantity: Quantity): bigint | undefined {
  if (quantity.form === "decimal" || quantity.exponent < 0) return undefined;
  if (quantity.unscaled === 0n) return 0n;
  return rescaleInt64(quantity, 0);
}

/** The nearest double, in the server's way: the digits as a double times a power of ten as a double. */
export function quantityAsDouble({ unscaled, exponent }: Quantity): number {
  const base = Number(unscaled);
  return exponent === 0 ? base : base * powerOf10(exponent);
}

/** Go's `math.Pow10`: the product of two tabled powers, which is not always the double nearest to 10^exponent. */
function powerOf10(exponent: number): number {
  if (exponent < -323) return 0;
  if (exponent > 308) return Number.POSITIVE_INFINITY;
  const magnitude = Math.abs(exponent);
  const coarse = Math.trunc(magnitude / 32) * 32;
  const fine = Number(`1e${magnitude % 32}`);
  return exponent < 0 ? Number(`1e-${coarse}`) / fine : Number(`1e${coarse}`) * fine;
}
