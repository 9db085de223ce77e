/** The comparison operators as functions; Rego's order is total over all types. */
import { compareValues, equalValues, type RegoValue } from "../values.ts";
import type { Builtin } from "./contract.ts";
import { builtin, operand } from "./operands.ts";

function comparison(name: string, holds: (left: RegoValue, right: RegoValue) => boolean): Builtin {
  return builtin(name, 2, (args) => holds(operand(args, 1), operand(args, 2)));
}

export const comparisonBuiltins: readonly Builtin[] = [
  comparison("equal", equalValues),
  comparison("neq", (left, right) => !equalValues(left, right)),
  comparison("lt", (left, right) => compareValues(left, right) < 0),
  comparison("lte", (left, right) => compareValues(left, right) <= 0),
  comparison("gt", (left, right) => compareValues(left, right) > 0),
  comparison("gte", (left, right) => compareValues(left, right) >= 0),
];
