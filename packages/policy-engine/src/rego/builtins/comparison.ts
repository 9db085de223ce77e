/** The comparison operators as functions; Rego's order is total over all types. */
import { compareValues, equalValues, type RegoValue } from "../values.ts";
import type { Builtin } from "./contract.ts";
import { builtin, operand } from "./operands.ts";

function comparison(
  name: string,
  holds: (left: RegoValue, right: RegoValue) => boolean,
  holdsOfNumbers: (left: number, right: number) => boolean,
): Builtin {
  const call = builtin(name, 2, (args) => holds(operand(args, 1), operand(args, 2)));
  return { ...call, ofNumbers: { answer: holdsOfNumbers, work: oneUnit } };
}

const oneUnit = () => 1;

export const comparisonBuiltins: readonly Builtin[] = [
  comparison("equal", equalValues, (left, right) => left === right),
  comparison(
    "neq",
    (left, right) => !equalValues(left, right),
    (left, right) => left !== right,
  ),
  comparison(
    "lt",
    (left, right) => compareValues(left, right) < 0,
    (left, right) => left < right,
  ),
  comparison(
    "lte",
    (left, right) => compareValues(left, right) <= 0,
    (left, right) => left <= right,
  ),
  comparison(
    "gt",
    (left, right) => compareValues(left, right) > 0,
    (left, right) => left > right,
  ),
  comparison(
    "gte",
    (left, right) => compareValues(left, right) >= 0,
    (left, right) => left >= right,
  ),
];
