// Doubles as decimal digits, exactly and rounded half to even as Go's fmt does. JavaScript's toFixed rounds halves
// up and stops at 100 digits.

interface Rational {
  readonly isNegative: boolean;
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** The exact value of a finite double. */
function exact(value: number): Rational {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const mantissa = biased === 0 ? fraction : fraction | 0x10000000000000n;
  const exponent = BigInt(Math.max(biased, 1) - 1075);
  return {
    isNegative: bits >> 63n === 1n,
    numerator: exponent > 0n ? mantissa << exponent : mantissa,
    denominator: exponent > 0n ? 1n : 1n << -exponent,
  };
}

/** numerator / denominator to the nearest integer, halves to the even one. */
function roundedQuotient(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  const twice = (numerator % denominator) * 2n;
  const isUp = twice > denominator || (twice === denominator && quotient % 2n === 1n);
  return isUp ? quotient + 1n : quotient;
}

/** Go's `%.<precision>f` of a finite double. */
export function toExactFixed(value: number, precision: number): string {
  const { isNegative, numerator, denominator } = exact(value);
  const scaled = roundedQuotient(numerator * 10n ** BigInt(precision), denominator);
  const digits = scaled.toString().padStart(precision + 1, "0");
  const whole = digits.slice(0, digits.length - precision);
  const fraction = precision === 0 ? "" : `.${digits.slice(-precision)}`;
  return `${isNegative ? "-" : ""}${whole}${fraction}`;
}

/** The two parts of Go's `%.<precision>e` of a finite double. */
export function toExponent(value: number, precision: number): { mantissa: string; exponent: number } {
  const { isNegative, numerator, denominator } = exact(value);
  const sign = isNegative ? "-" : "";
  if (numerator === 0n) return { mantissa: sign + withPoint("0".repeat(precision + 1)), exponent: 0 };
  let exponent = Number(Math.abs(value).toExponential().split("e")[1] ?? "0");
  const power = BigInt(Math.abs(precision - exponent));
  const isScaledUp = precision >= exponent;
  let digits = roundedQuotient(
    isScaledUp ? numerator * 10n ** power : numerator,
    isScaledUp ? denominator : denominator * 10n ** power,
  ).toString();
  if (digits.length > precision + 1) {
    digits = digits.slice(0, -1);
    exponent++;
  }
  return { mantissa: sign + withPoint(digits), exponent };
}

const withPoint = (digits: string): string =>
  digits.length === 1 ? digits : `${digits.charAt(0)}.${digits.slice(1)}`;

/** Commas between groups of three digits of the whole part. */
export function groupThousands(text: string): string {
  const [whole = "", fraction] = text.split(".");
  const sign = whole.startsWith("-") ? "-" : "";
  let digits = whole.slice(sign.length);
  const groups: string[] = [];
  while (digits.length > 3) {
    groups.unshift(digits.slice(-3));
    digits = digits.slice(0, -3);
  }
  groups.unshift(digits);
  return `${sign}${groups.join(",")}${fraction === undefined ? "" : `.${fraction}`}`;
}

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** An exponent of two digits or more in superscripts. */
export function superscript(exponent: number): string {
  const digits = Array.from(
    String(Math.abs(exponent)).padStart(2, "0"),
    (digit) => SUPERSCRIPTS[Number(digit)],
  );
  return `${exponent < 0 ? "⁻" : ""}${digits.join("")}`;
}
