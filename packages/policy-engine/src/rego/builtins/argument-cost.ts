/** What a call of a built-in is charged before it runs, so that no built-in can forget to count its arguments. */
import { isArray, isSet, type RegoValue, sizeOf } from "../values.ts";
import { bitLength } from "./go/big-float.ts";

/** Integers up to here cost nothing: most are numbers, and the others a few words. */
const small = 1n << 1_024n;

/** Units of work for an argument looked at once: 16 characters, an element, or eight bits of a wide integer. */
function costOf(value: RegoValue): number {
  switch (typeof value) {
    case "string":
      return value.length >>> 4;
    case "bigint":
      return value > small || value < -small ? bitLength(value < 0n ? -value : value) >>> 3 : 0;
    case "object":
      if (value === null) return 0;
      if (isArray(value)) return value.length;
      return isSet(value) ? value.size : sizeOf(value);
    default:
      return 0;
  }
}

export function argumentCost(args: readonly RegoValue[]): number {
  let cost = 0;
  for (const value of args) cost += costOf(value);
  return cost;
}
