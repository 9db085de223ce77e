import { CelError } from "./errors.ts";
import { compareNumbers, isNumeric } from "./numbers.ts";
import { CelDuration, CelTimestamp, type CelValue } from "./values.ts";
import { spend } from "./work.ts";

/** Characters or bytes compared one by one that are a unit of work.ts. */
const COMPARED_PER_UNIT = 3;

/** Code-point order, which is also the order of the UTF-8 forms; UTF-16 order differs above U+D800. */
export function compareStrings(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  spend(length / COMPARED_PER_UNIT);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left === right) continue;
    const isLeftSurrogate = left >= 0xd800 && left <= 0xdfff;
    const isRightSurrogate = right >= 0xd800 && right <= 0xdfff;
    if (isLeftSurrogate !== isRightSurrogate) return isLeftSurrogate ? 1 : -1;
    return left < right ? -1 : 1;
  }
  return a.length < b.length ? -1 : 1;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  spend(length / COMPARED_PER_UNIT);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return Math.sign(difference);
  }
  return Math.sign(a.length - b.length);
}

function compareBigInts(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Orders two values for the operator `name` (`_<_`…): negative, zero or positive. Throws `CelError` for NaN and for
 * types that have no order among each other; the texts are cel-go's.
 */
export function compare(a: CelValue, b: CelValue, name: string): number {
  if (isNumeric(a) && isNumeric(b)) {
    const order = compareNumbers(a, b);
    if (Number.isNaN(order)) throw new CelError("NaN values cannot be ordered");
    return order;
  }
  if (typeof a === "string" && typeof b === "string") return compareStrings(a, b);
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  if (a instanceof CelTimestamp && b instanceof CelTimestamp) {
    return Math.sign(a.seconds - b.seconds) || Math.sign(a.nanos - b.nanos);
  }
  if (a instanceof CelDuration && b instanceof CelDuration)
    return compareBigInts(a.nanoseconds, b.nanoseconds);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return compareBytes(a, b);
  throw new CelError(hasOrder(a) ? "no such overload" : `no such overload: ${name}`);
}

/** Whether values of this one's type have an order among themselves. */
function hasOrder(value: CelValue): boolean {
  return (
    isNumeric(value) ||
    typeof value === "string" ||
    typeof value === "boolean" ||
    value instanceof CelTimestamp ||
    value instanceof CelDuration ||
    value instanceof Uint8Array
  );
}
