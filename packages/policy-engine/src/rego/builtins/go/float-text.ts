/**
 * strconv.FormatFloat for float64: the decimal text rounded half to even on the exact binary value, where
 * JavaScript's toFixed rounds halves up.
 */
import { decomposeDouble } from "./big-float.ts";

export type FloatVerb = "e" | "f" | "g";

/** A float64 has at most 1074 digits after the point; more are zeros. */
const maxExactDigits = 1100;

interface Digits {
  /** Without leading zeros; at least one. */
  readonly text: string;
  /** Of the point, counted from the first digit: 12.5 is "125" with point 2. */
  readonly point: number;
}

function divideHalfEven(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  const twice = (numerator % denominator) * 2n;
  const up = twice > denominator || (twice === denominator && (quotient & 1n) === 1n);
  return up ? quotient + 1n : quotient;
}

/** `value * 10^scale` as an integer, value not negative. */
function scaled(value: number, scale: number): bigint {
  const { mantissa, exponent } = decomposeDouble(value);
  const numerator = mantissa * 10n ** BigInt(Math.max(0, scale)) * 2n ** BigInt(Math.max(0, exponent));
  const denominator = 10n ** BigInt(Math.max(0, -scale)) * 2n ** BigInt(Math.max(0, -exponent));
  return divideHalfEven(numerator, denominator);
}

function shortestDigits(value: number): Digits {
  const [digits = "0", power = "0"] = value.toExponential().split("e");
  return { text: digits.replace(".", ""), point: Number(power) + 1 };
}

/** A number of significant digits. */
function roundedDigits(value: number, count: number): Digits {
  if (value === 0) {
    return { text: "0".repeat(count), point: 1 };
  }
  const power = Number(value.toExponential().split("e")[1] ?? "0");
  const exact = Math.min(count, maxExactDigits);
  let point = power + 1;
  let text = scaled(value, exact - 1 - power).toString();
  if (text.length > exact) {
    point += 1;
    text = text.slice(0, exact);
  }
  return { text: text.padEnd(count, "0"), point };
}

function exponential(digits: Digits, zero: boolean): string {
  const power = zero ? 0 : digits.point - 1;
  const rest = digits.text.slice(1);
  const sign = power < 0 ? "-" : "+";
  return `${digits.text.charAt(0)}${rest === "" ? "" : `.${rest}`}e${sign}${String(Math.abs(power)).padStart(2, "0")}`;
}

function fixed(value: number, precision: number): string {
  const exact = Math.min(precision, maxExactDigits);
  const text = scaled(value, exact)
    .toString()
    .padStart(exact + 1, "0");
  const whole = text.slice(0, text.length - exact);
  const fraction = text.slice(text.length - exact).padEnd(precision, "0");
  return fraction === "" ? whole : `${whole}.${fraction}`;
}

function plain(digits: Digits): string {
  if (digits.point <= 0) {
    return `0.${"0".repeat(-digits.point)}${digits.text}`;
  }
  const text = digits.text.padEnd(digits.point, "0");
  const fraction = text.slice(digits.point);
  return fraction === "" ? text : `${text.slice(0, digits.point)}.${fraction}`;
}

function general(value: number, precision: number): string {
  const shortest = precision < 0;
  const significant = precision === 0 ? 1 : precision;
  const digits = shortest ? shortestDigits(value) : roundedDigits(value, significant);
  const trimmed = { text: trimRightZeros(digits.text), point: digits.point };
  let limit = shortest ? 6 : significant;
  if (!shortest && limit > trimmed.text.length && trimmed.text.length >= trimmed.point) {
    limit = trimmed.text.length;
  }
  const power = value === 0 ? 0 : digits.point - 1;
  const short = value === 0 ? { text: "0", point: 1 } : trimmed;
  return power < -4 || power >= limit ? exponential(short, value === 0) : plain(short);
}

function trimRightZeros(text: string): string {
  let end = text.length;
  while (end > 1 && text[end - 1] === "0") {
    end -= 1;
  }
  return text.slice(0, end);
}

/** The text of a finite value; precision -1 is the fewest digits that name it. */
export function formatFloat(value: number, verb: FloatVerb, precision: number): string {
  const negative = value < 0 || Object.is(value, -0);
  const absolute = Math.abs(value);
  const sign = negative ? "-" : "";
  switch (verb) {
    case "e": {
      const digits = precision < 0 ? shortestDigits(absolute) : roundedDigits(absolute, precision + 1);
      return sign + exponential(digits, absolute === 0);
    }
    case "f":
      return sign + (precision < 0 ? plain(shortestDigits(absolute)) : fixed(absolute, precision));
    case "g":
      return sign + general(absolute, precision);
  }
}
