/**
 * Decimal text to numbers, exact for integers of any size, `1e30` included: OPA keeps a number's text
 * (v1/ast NumberChecked) and refuses one whose binary exponent is beyond ±1e5.
 */

import { integer, type RegoNumber } from "../../values.ts";
import { countWork } from "../../work-meter.ts";
import { LimitError } from "../contract.ts";

/** Decimal digits that certainly fit 1e5 bits. */
const maxDecimalExponent = 30_000;

export const isDigit = (unit: number): boolean => unit >= 0x30 && unit <= 0x39;

/** Digits passed over between two counts. */
const digitsPerCount = 1_024;

/** The offset after the digits that begin at `at`. */
export function skipDigits(text: string, at: number): number {
  let end = at;
  while (end < text.length && isDigit(text.charCodeAt(end))) {
    end += 1;
    if ((end - at) % digitsPerCount === 0) {
      countWork(digitsPerCount >>> 4);
    }
  }
  return end;
}

/** A number's text cut into its parts; undefined when it is no decimal number from end to end. */
export interface DecimalParts {
  readonly negative: boolean;
  readonly whole: string;
  readonly fraction: string;
  readonly exponent: string;
}

/** As strconv.ParseFloat reads decimals: a sign, digits with at most one point, an exponent. */
export function decimalParts(text: string): DecimalParts | undefined {
  const signed = text.startsWith("-") || text.startsWith("+");
  const start = signed ? 1 : 0;
  const wholeEnd = skipDigits(text, start);
  const pointed = text[wholeEnd] === ".";
  const fractionEnd = pointed ? skipDigits(text, wholeEnd + 1) : wholeEnd;
  const digits = fractionEnd - start - (pointed ? 1 : 0);
  if (digits === 0) {
    return undefined;
  }
  const exponent = exponentAt(text, fractionEnd);
  if (exponent === undefined) {
    return undefined;
  }
  return {
    negative: text.startsWith("-"),
    whole: text.slice(start, wholeEnd),
    fraction: pointed ? text.slice(wholeEnd + 1, fractionEnd) : "",
    exponent,
  };
}

function exponentAt(text: string, at: number): string | undefined {
  if (at === text.length) {
    return "0";
  }
  if (text[at] !== "e" && text[at] !== "E") {
    return undefined;
  }
  const digits = text[at + 1] === "+" || text[at + 1] === "-" ? at + 2 : at + 1;
  const end = skipDigits(text, digits);
  return end === text.length && end > digits ? text.slice(at + 1) : undefined;
}

/** The number the parts make; undefined when it is too big for OPA. */
export function numberOfParts(parts: DecimalParts): RegoNumber | undefined {
  const scale = Number(parts.exponent) - parts.fraction.length;
  const digits = parts.whole + parts.fraction;
  const sign = parts.negative ? "-" : "";
  if (Math.abs(Number(parts.exponent)) > maxDecimalExponent || isBeyondDigits(parts.whole)) {
    return undefined;
  }
  if (digits.length > maxDecimalExponent) {
    throw new LimitError(`a number may have at most ${maxDecimalExponent} digits`);
  }
  countDigits(digits.length + Math.max(0, scale));
  const trimmed = scale < 0 ? trimZeros(digits, -scale) : digits;
  if (trimmed === undefined) {
    const value = Number(`${sign}${digits}e${scale}`);
    return value === 0 ? 0 : value;
  }
  return integer(BigInt(sign + (trimmed === "" ? "0" : trimmed) + "0".repeat(Math.max(0, scale))));
}

/** What making a number of so many digits takes: 2 µs for 300, 2 ms for 30,000. */
function countDigits(count: number): void {
  if (count > 32) countWork(Math.ceil(count / 16 + count ** 2 / 65_536));
}

/** Whether an integer is too big for OPA; zeros in front of it do not count. */
function isBeyondDigits(whole: string): boolean {
  let zeros = 0;
  while (whole.charCodeAt(zeros) === 0x30) {
    zeros += 1;
  }
  return whole.length - zeros > maxDecimalExponent;
}

/** The digits without their last `count`, when all of those are zeros. */
function trimZeros(digits: string, count: number): string | undefined {
  const keep = Math.max(0, digits.length - count);
  for (let index = keep; index < digits.length; index += 1) {
    if (digits[index] !== "0") {
      return undefined;
    }
  }
  return digits.slice(0, keep);
}

/** A decimal number's value; undefined when the text is none, or too big a one. */
export function parseDecimal(text: string): RegoNumber | undefined {
  const parts = decimalParts(text);
  return parts === undefined ? undefined : numberOfParts(parts);
}

const WIDE = 1n << 1_024n;

/** An integer's digits. Those of the widest take milliseconds, unlike their hexadecimal ones. */
export function bigIntText(value: bigint, radix = 10): string {
  if (value > WIDE || value < -WIDE) {
    countWork(value.toString(16).length);
  }
  return value.toString(radix);
}

/**
 * A number as JSON. Integers are written in full up to 1e21, with the digits the float64 really has: JavaScript
 * would write 2^60 as 1152921504606847000.
 */
export function numberText(value: RegoNumber): string {
  if (typeof value === "bigint") {
    return bigIntText(value);
  }
  if (Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < 1e21) {
    return BigInt(value).toString();
  }
  return value === 0 ? "0" : String(value);
}
