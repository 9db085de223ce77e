/**
 * Go's math/big.Float with the mantissa of 64 bits that OPA computes with when an operand is no integer
 * (topdown/builtins.NumberToFloat): 0.1 + 0.2 is 0.3 there, where a float64 gives 0.30000000000000004.
 *
 * A value is `mantissa * 2^exponent`, the mantissa a bigint of at most 64 bits. Zero has mantissa 0; the sign
 * of zero is not kept, as JSON has no use for it.
 */

export interface BigFloat {
  readonly mantissa: bigint;
  readonly exponent: number;
}

const PRECISION = 64;
/** Of a value made of a float64, which OPA's `product` begins with and keeps to. */
const DOUBLE_PRECISION = 53;

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}

/** How many bits a non-negative integer has. */
export function bitLength(value: bigint): number {
  if (value === 0n) {
    return 0;
  }
  const digits = value.toString(16);
  return (digits.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(digits.charAt(0), 16)));
}

/** Rounds `mantissa * 2^exponent` to some bits, to nearest, ties to even. `sticky` tells of bits already lost. */
function rounded(mantissa: bigint, exponent: number, sticky = false, precision = PRECISION): BigFloat {
  const absolute = magnitude(mantissa);
  const excess = bitLength(absolute) - precision;
  if (excess <= 0) {
    return { mantissa, exponent };
  }
  const shift = BigInt(excess);
  const half = 1n << (shift - 1n);
  const rest = absolute & ((1n << shift) - 1n);
  let kept = absolute >> shift;
  if (rest > half || (rest === half && (sticky || (kept & 1n) === 1n))) {
    kept += 1n;
  }
  return { mantissa: mantissa < 0n ? -kept : kept, exponent: exponent + excess };
}

const FLOAT_BITS = new DataView(new ArrayBuffer(8));

/** The float64's own value as `mantissa * 2^exponent`, exact. */
export function decomposeDouble(value: number): BigFloat {
  FLOAT_BITS.setFloat64(0, value);
  const bits = FLOAT_BITS.getBigUint64(0);
  const fraction = bits & 0xfffffffffffffn;
  const biased = Number((bits >> 52n) & 0x7ffn);
  const mantissa = biased === 0 ? fraction : fraction | 0x10000000000000n;
  return { mantissa: value < 0 ? -mantissa : mantissa, exponent: (biased === 0 ? 1 : biased) - 1075 };
}

/** The quotient of two integers rounded to 64 bits; the denominator is positive. */
export function ratio(numerator: bigint, denominator: bigint): BigFloat {
  const absolute = magnitude(numerator);
  const shift = Math.max(0, PRECISION + 2 + bitLength(denominator) - bitLength(absolute));
  const scaled = absolute << BigInt(shift);
  const quotient = scaled / denominator;
  const sticky = scaled % denominator !== 0n;
  return rounded(numerator < 0n ? -quotient : quotient, -shift, sticky);
}

/**
 * The number a policy wrote, at 64 bits. A float64 stands for the shortest decimal that names it, which is the
 * text OPA would have read, so 0.1 becomes one tenth at 64 bits and not the float64's value.
 */
export function bigFloatOf(value: number | bigint): BigFloat {
  if (typeof value === "bigint") {
    return rounded(value, 0);
  }
  if (Number.isSafeInteger(value)) {
    return { mantissa: BigInt(value), exponent: 0 };
  }
  const [digits = "0", power = "0"] = value.toExponential().split("e");
  const [whole = "0", fraction = ""] = digits.split(".");
  const scale = Number(power) - fraction.length;
  const integer = BigInt(whole + fraction);
  return scale >= 0 ? rounded(integer * 10n ** BigInt(scale), 0) : ratio(integer, 10n ** BigInt(-scale));
}

export function floatOfInteger(value: bigint): BigFloat {
  return rounded(value, 0);
}

export function addFloat(left: BigFloat, right: BigFloat): BigFloat {
  const exponent = Math.min(left.exponent, right.exponent);
  const sum =
    (left.mantissa << BigInt(left.exponent - exponent)) +
    (right.mantissa << BigInt(right.exponent - exponent));
  return rounded(sum, exponent);
}

export function negateFloat(value: BigFloat): BigFloat {
  return { mantissa: -value.mantissa, exponent: value.exponent };
}

export function multiplyFloat(left: BigFloat, right: BigFloat): BigFloat {
  return rounded(left.mantissa * right.mantissa, left.exponent + right.exponent);
}

/** As {@link multiplyFloat}, rounded to the 53 bits of a float64. */
export function multiplyToDouble(left: BigFloat, right: BigFloat): BigFloat {
  return rounded(left.mantissa * right.mantissa, left.exponent + right.exponent, false, DOUBLE_PRECISION);
}

/** @throws RangeError when the divisor is zero. */
export function divideFloat(left: BigFloat, right: BigFloat): BigFloat {
  if (right.mantissa === 0n) {
    throw new RangeError("divide by zero");
  }
  const negative = left.mantissa < 0n !== right.mantissa < 0n;
  const quotient = ratio(magnitude(left.mantissa), magnitude(right.mantissa));
  return {
    mantissa: negative ? -quotient.mantissa : quotient.mantissa,
    exponent: quotient.exponent + left.exponent - right.exponent,
  };
}

/** Towards zero, and whether something was cut off. */
export function truncateFloat(value: BigFloat): { readonly whole: bigint; readonly exact: boolean } {
  if (value.exponent >= 0) {
    return { whole: value.mantissa << BigInt(value.exponent), exact: true };
  }
  const shift = BigInt(-value.exponent);
  const absolute = magnitude(value.mantissa);
  const whole = absolute >> shift;
  return { whole: value.mantissa < 0n ? -whole : whole, exact: whole << shift === absolute };
}

/** A Rego number: the integer itself when it is one, else the nearest float64. */
export function numberOfFloat(value: BigFloat): number | bigint {
  const { whole, exact } = truncateFloat(value);
  return exact ? whole : doubleOf(value);
}

/** The nearest float64. The mantissa has at most 64 bits, so Number() rounds once and the scaling is exact. */
function doubleOf(value: BigFloat): number {
  let result = Number(value.mantissa);
  let exponent = value.exponent;
  while (exponent < -1000) {
    result /= 2 ** 1000;
    exponent += 1000;
  }
  return result * 2 ** exponent;
}
