/**
 * `units.parse` (Kubernetes-like quantities, exact) and `units.parse_bytes` (whole bytes, units in any case)
 * (OPA's v1/topdown/parse_units.go, parse_bytes.go).
 */
import { integer, type RegoNumber } from "../values.ts";
import { type Builtin, LimitError } from "./contract.ts";
import { bitLength, floatOfInteger, multiplyFloat, ratio, truncateFloat } from "./go/big-float.ts";
import { decimalParts, isDigit, skipDigits } from "./go/number-text.ts";
import { maxIntegerBits } from "./limits.ts";
import { builtin, failure, textOperand } from "./operands.ts";

/** Digits of an exponent; a seventh is refused, as the power of ten would be enormous. */
const maxExponentDigits = 6;
/** OPA computes powers of ten up to 1e6; past this the result has no use but to cost. */
const maxExponent = 30_000;
const maxDigits = 10_000;

const DECIMAL = ["k", "m", "g", "t", "p", "e"] as const;

/** Multipliers by lower-case unit: 1000^n for `kb`, 1024^n for `kib`. */
function multipliers(suffix: string): ReadonlyMap<string, bigint> {
  const units = new Map<string, bigint>([["", 1n]]);
  for (const [index, letter] of DECIMAL.entries()) {
    const decimal = 1000n ** BigInt(index + 1);
    const binary = 1024n ** BigInt(index + 1);
    units.set(letter, decimal).set(`${letter}i`, binary);
    if (suffix !== "") {
      units.set(letter + suffix, decimal).set(`${letter}i${suffix}`, binary);
    }
  }
  return units;
}

const BYTE_UNITS = multipliers("b");
const PLAIN_UNITS = multipliers("");

interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

class ExponentTooLarge extends Error {}

/** The end of an exponent that begins at `at` (an `e`), or undefined when that letter is a unit. */
function exponentEnd(text: string, at: number): number | undefined {
  const sign = text[at + 1];
  const signed = sign === "+" || sign === "-";
  if (!signed && !isDigit(text.charCodeAt(at + 1))) {
    return undefined;
  }
  const digits = signed ? at + 2 : at + 1;
  const end = skipDigits(text, digits);
  if (end - digits > maxExponentDigits) {
    throw new ExponentTooLarge();
  }
  return Math.max(end, digits);
}

/** Where the number ends and the unit begins. */
function numberEnd(text: string): number {
  let at = 0;
  while (at < text.length) {
    const character = text.charAt(at);
    if (character === "e" || character === "E") {
      const end = exponentEnd(text, at);
      if (end === undefined) {
        return at;
      }
      at = end;
    } else if (isDigit(text.charCodeAt(at)) || character === "." || character === "+" || character === "-") {
      at += 1;
    } else {
      return at;
    }
  }
  return at;
}

function rational(text: string): Rational | undefined {
  if (text.length > maxDigits) {
    throw new LimitError(`an amount may have at most ${maxDigits} characters`);
  }
  const parts = decimalParts(text);
  if (parts === undefined) {
    return undefined;
  }
  const exponent = Number(parts.exponent);
  if (Math.abs(exponent) > maxExponent) {
    throw new LimitError(`an exponent may be at most ${maxExponent}`);
  }
  const scale = exponent - parts.fraction.length;
  const digits = BigInt(parts.whole + parts.fraction);
  const numerator = parts.negative ? -digits : digits;
  return scale >= 0
    ? { numerator: numerator * 10n ** BigInt(scale), denominator: 1n }
    : { numerator, denominator: 10n ** BigInt(-scale) };
}

/**
 * An amount in units, as a fraction. The unit is looked at before the number is.
 *
 * @param name of the built-in, which its messages repeat.
 */
function quantity(
  name: string,
  noun: string,
  text: string,
  multiplierOf: (unit: string) => Rational,
): { readonly amount: Rational; readonly multiplier: Rational } {
  if (text.includes(" ")) {
    throw failure(`${name}: spaces not allowed in resource strings`);
  }
  try {
    const end = numberEnd(text);
    if (end === 0) {
      throw failure(`${name}: no ${noun} provided`);
    }
    const multiplier = multiplierOf(text.slice(end));
    const amount = rational(text.slice(0, end));
    if (amount === undefined) {
      throw failure(`${name}: could not parse ${noun} to a number`);
    }
    return { amount, multiplier };
  } catch (error) {
    throw error instanceof ExponentTooLarge ? failure(`${name}: exponent too large`, error) : error;
  }
}

/** Of the single letters only `m` differs by case: milli and mega. */
function plainMultiplier(unit: string): Rational {
  const normal = unit.charAt(0) + unit.slice(1).toLowerCase();
  if (normal === "m") {
    // OPA multiplies by the float64 0.001 as an exact fraction, which is what its results show.
    return { numerator: 1_152_921_504_606_847n, denominator: 2n ** 60n };
  }
  const known = PLAIN_UNITS.get(normal.toLowerCase());
  if (known === undefined) {
    throw failure(`units.parse: unit ${normal} not recognized`);
  }
  return { numerator: known, denominator: 1n };
}

/** Ten digits after the point, half away from zero (big.Rat FloatString). */
function decimalOf(numerator: bigint, denominator: bigint): number {
  const negative = numerator < 0n;
  const scaled = ((negative ? -numerator : numerator) * 20_000_000_000n + denominator) / (2n * denominator);
  const value = Number(`${scaled}e-10`);
  return negative ? -value || 0 : value;
}

function refuseLarge(value: bigint): bigint {
  if (bitLength(value < 0n ? -value : value) > maxIntegerBits) {
    throw new LimitError(`the result is an integer of more than ${maxIntegerBits} bits`);
  }
  return value;
}

function parse(text: string): RegoNumber {
  const bare = text.replaceAll('"', "");
  const { amount, multiplier } = quantity("units.parse", "amount", bare, plainMultiplier);
  const numerator = amount.numerator * multiplier.numerator;
  const denominator = amount.denominator * multiplier.denominator;
  return numerator % denominator === 0n
    ? integer(refuseLarge(numerator / denominator))
    : decimalOf(numerator, denominator);
}

function byteMultiplier(unit: string): Rational {
  const numerator = BYTE_UNITS.get(unit);
  if (numerator === undefined) {
    throw failure(`units.parse_bytes: byte unit ${unit} not recognized`);
  }
  return { numerator, denominator: 1n };
}

/** Digits of a number that is exact whatever the unit, save the largest, as a JS number. */
const fewDigits = /^\d{1,6}$/;
/** Units that are common, of which so many are below 2^53. */
const commonUnits: ReadonlyMap<string, number> = new Map([
  ["Ki", 2 ** 10],
  ["Mi", 2 ** 20],
  ["Gi", 2 ** 30],
  ["K", 1e3],
  ["M", 1e6],
  ["G", 1e9],
]);

/** As nearly all amounts are written: `256Mi`. Undefined for others. */
function commonBytes(text: string): number | undefined {
  const unit = text.slice(-2);
  const binary = commonUnits.get(unit);
  const multiplier = binary ?? commonUnits.get(text.slice(-1));
  if (multiplier === undefined) return undefined;
  const digits = text.slice(0, binary === undefined ? -1 : -2);
  return fewDigits.test(digits) ? Number(digits) * multiplier : undefined;
}

/** The product is taken at 64 bits, as OPA does, and its fraction dropped. */
function parseBytes(text: string): RegoNumber {
  return commonBytes(text) ?? exactBytes(text);
}

function exactBytes(text: string): RegoNumber {
  const bare = text.toLowerCase().replaceAll('"', "");
  const { amount, multiplier } = quantity("units.parse_bytes", "byte amount", bare, byteMultiplier);
  const product = multiplyFloat(
    ratio(amount.numerator, amount.denominator),
    floatOfInteger(multiplier.numerator),
  );
  return integer(refuseLarge(truncateFloat(product).whole));
}

export const unitBuiltins: readonly Builtin[] = [
  builtin("units.parse", 1, (args) => parse(textOperand(args, 1))),
  builtin("units.parse_bytes", 1, (args) => parseBytes(textOperand(args, 1))),
];
