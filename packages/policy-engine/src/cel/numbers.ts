import { CelDouble, CelUint, type CelValue, doubleOf, isDouble } from "./values.ts";

/** A number in one of CEL's three kinds. */
export type NumericValue = number | bigint | CelDouble | CelUint;

export function isNumeric(value: CelValue): value is NumericValue {
  switch (typeof value) {
    case "number":
    case "bigint":
      return true;
    default:
      return value instanceof CelDouble || value instanceof CelUint;
  }
}

const INT_LOW = -(2 ** 63);
const INT_HIGH = 2 ** 63;
const UINT_HIGH = 2 ** 64;

/**
 * Orders numbers of any kinds: negative, zero or positive, NaN when one of them is NaN. An int or uint is rounded
 * to a double to meet one, as cel-go does (common/types/compare.go).
 */
export function compareNumbers(a: NumericValue, b: NumericValue): number {
  if (isDouble(a))
    return isDouble(b) ? compareDoubles(doubleOf(a), doubleOf(b)) : compareDouble(doubleOf(a), b);
  if (isDouble(b)) return -compareDouble(doubleOf(b), a);
  const left = a instanceof CelUint ? a.value : (a as number | bigint);
  const right = b instanceof CelUint ? b.value : (b as number | bigint);
  return left < right ? -1 : left > right ? 1 : 0;
}

function compareDouble(double: number, other: NumericValue): number {
  if (Number.isNaN(double)) return Number.NaN;
  const isUint = other instanceof CelUint;
  if (double < (isUint ? 0 : INT_LOW)) return -1;
  if (double > (isUint ? UINT_HIGH : INT_HIGH)) return 1;
  return compareDoubles(double, Number(isUint ? other.value : other));
}

function compareDoubles(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  return a === b ? 0 : Number.NaN;
}

/** The number as a bigint when it is an int. */
export const bigIntOf = (value: number | bigint): bigint =>
  typeof value === "bigint" ? value : BigInt(value);

/** The value of a number of any kind, rounded to a double; undefined for what is no number. */
export function numberOf(value: CelValue): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (value instanceof CelDouble) return value.value;
  return value instanceof CelUint ? Number(value.value) : undefined;
}
