import { CelError } from "../errors.ts";
import { bigIntOf } from "../numbers.ts";
import {
  CelDuration,
  CelTimestamp,
  CelUint,
  type CelValue,
  doubleOf,
  isDouble,
  isInt,
  makeDouble,
  makeInt,
  makeUint,
} from "../values.ts";
import {
  addDurations,
  addToTimestamp,
  negateDuration,
  subtractDurations,
  subtractTimestamps,
} from "./time.ts";

/** Longest list that `+` makes; costs do not bound it, since cel-go joins lists without copying. */
const MAX_LIST_LENGTH = 1_000_000;

/**
 * The error for an operator that the type of its first operand does not have. Types with methods of their own are
 * asked for the operator as if it were one, hence the two texts (interpreter/interpretable.go in cel-go).
 */
export function noOperator(name: string, left: CelValue): CelError {
  const hasMethods = typeof left === "string" || left instanceof CelTimestamp || left instanceof CelDuration;
  return new CelError(hasMethods ? "no such overload" : `no such overload: ${name}`);
}

const noOverload = (): CelError => new CelError("no such overload");

export function add(a: CelValue, b: CelValue): CelValue {
  if (typeof a === "number" && typeof b === "number" && Number.isSafeInteger(a) && Number.isSafeInteger(b)) {
    const sum = a + b;
    return Number.isSafeInteger(sum) ? sum : makeInt(BigInt(a) + BigInt(b));
  }
  if (typeof a === "string") {
    if (typeof b !== "string") throw noOverload();
    return a + b;
  }
  if (isInt(a)) return makeInt(bigIntOf(a) + bigIntOf(intOf(b)));
  if (isDouble(a)) return makeDouble(doubleOf(a) + doubleIn(b));
  if (Array.isArray(a)) return concatenate(a, b);
  if (a instanceof CelUint) return makeUint(a.value + uintIn(b));
  return addBoxed(a, b);
}

function addBoxed(a: CelValue, b: CelValue): CelValue {
  if (a instanceof Uint8Array) {
    if (!(b instanceof Uint8Array)) throw noOverload();
    const joined = new Uint8Array(a.length + b.length);
    joined.set(a);
    joined.set(b, a.length);
    return joined;
  }
  if (a instanceof CelDuration) {
    if (b instanceof CelDuration) return addDurations(a, b);
    if (b instanceof CelTimestamp) return addToTimestamp(b, a.nanoseconds);
    throw noOverload();
  }
  if (a instanceof CelTimestamp) {
    if (b instanceof CelDuration) return addToTimestamp(a, b.nanoseconds);
    throw noOverload();
  }
  throw noOperator("_+_", a);
}

function concatenate(a: readonly CelValue[], b: CelValue): CelValue {
  if (!Array.isArray(b)) throw noOverload();
  if (a.length + b.length > MAX_LIST_LENGTH) {
    throw new CelError(`list of more than ${MAX_LIST_LENGTH} elements`);
  }
  return a.concat(b as readonly CelValue[]);
}

export function subtract(a: CelValue, b: CelValue): CelValue {
  if (typeof a === "number" && typeof b === "number" && Number.isSafeInteger(a) && Number.isSafeInteger(b)) {
    const difference = a - b;
    return Number.isSafeInteger(difference) ? difference : makeInt(BigInt(a) - BigInt(b));
  }
  if (isInt(a)) return makeInt(bigIntOf(a) - bigIntOf(intOf(b)));
  if (isDouble(a)) return makeDouble(doubleOf(a) - doubleIn(b));
  if (a instanceof CelUint) return makeUint(a.value - uintIn(b));
  if (a instanceof CelDuration) {
    if (b instanceof CelDuration) return subtractDurations(a, b);
    throw noOverload();
  }
  if (a instanceof CelTimestamp) {
    if (b instanceof CelDuration) return addToTimestamp(a, negateDuration(b).nanoseconds);
    if (b instanceof CelTimestamp) return subtractTimestamps(a, b);
    throw noOverload();
  }
  throw noOperator("_-_", a);
}

export function multiply(a: CelValue, b: CelValue): CelValue {
  if (typeof a === "number" && typeof b === "number" && Number.isSafeInteger(a) && Number.isSafeInteger(b)) {
    const product = a * b;
    return Number.isSafeInteger(product) ? product + 0 : makeInt(BigInt(a) * BigInt(b));
  }
  if (isInt(a)) return makeInt(bigIntOf(a) * bigIntOf(intOf(b)));
  if (isDouble(a)) return makeDouble(doubleOf(a) * doubleIn(b));
  if (a instanceof CelUint) return makeUint(a.value * uintIn(b));
  throw noOperator("_*_", a);
}

export function divide(a: CelValue, b: CelValue): CelValue {
  if (isInt(a)) {
    const divisor = bigIntOf(intOf(b));
    if (divisor === 0n) throw new CelError("division by zero");
    return makeInt(bigIntOf(a) / divisor);
  }
  if (isDouble(a)) return makeDouble(doubleOf(a) / doubleIn(b));
  if (a instanceof CelUint) {
    const divisor = uintIn(b);
    if (divisor === 0n) throw new CelError("division by zero");
    return makeUint(a.value / divisor);
  }
  throw noOperator("_/_", a);
}

export function modulo(a: CelValue, b: CelValue): CelValue {
  if (isInt(a)) {
    const divisor = bigIntOf(intOf(b));
    if (divisor === 0n) throw new CelError("modulus by zero");
    const dividend = bigIntOf(a);
    // The quotient would overflow, and cel-go says so of the remainder too.
    if (divisor === -1n) makeInt(-dividend);
    return makeInt(dividend % divisor);
  }
  if (a instanceof CelUint) {
    const divisor = uintIn(b);
    if (divisor === 0n) throw new CelError("modulus by zero");
    return makeUint(a.value % divisor);
  }
  throw noOperator("_%_", a);
}

export function negate(value: CelValue): CelValue {
  if (isInt(value)) return makeInt(-bigIntOf(value));
  if (isDouble(value)) return makeDouble(-doubleOf(value));
  if (value instanceof CelDuration) return negateDuration(value);
  if (typeof value === "boolean") throw noOverload();
  throw noOperator("-_", value);
}

function intOf(value: CelValue): number | bigint {
  if (isInt(value)) return value;
  throw noOverload();
}

function doubleIn(value: CelValue): number {
  if (isDouble(value)) return doubleOf(value);
  throw noOverload();
}

function uintIn(value: CelValue): bigint {
  if (value instanceof CelUint) return value.value;
  throw noOverload();
}
