import { OPERATOR } from "../ast.ts";
import { equals, isIn } from "../equality.ts";
import { CelError } from "../errors.ts";
import type { FunctionDeclaration, Overload } from "../library.ts";
import { compare } from "../ordering.ts";
import { costSize, traversalCost } from "../size.ts";
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DURATION,
  INT,
  listType,
  mapType,
  STRING,
  TIMESTAMP,
  typeParam,
  UINT,
} from "../types.ts";
import type { CelValue } from "../values.ts";
import { workOf } from "../work.ts";
import { add, divide, modulo, multiply, negate, subtract } from "./arithmetic.ts";

// The operators, with their overloads named as cel-go names them (common/overloads/overloads.go). One implementation
// a name sorts out the types; the overloads are for the checker and for costs.

const A = typeParam("A");
const B = typeParam("B");
const LIST_A = listType(A);
const MAP_AB = mapType(A, B);

type Cost = NonNullable<Overload["cost"]>;

/** Overloads of an operator have no implementation of their own: the singleton is called. */
function never(): never {
  throw new TypeError("an operator was called by overload");
}

function overload(id: string, params: readonly CelType[], result: CelType, cost?: Cost): Overload {
  const declared: Overload = { id, isMember: false, params, result, call: never };
  return cost === undefined ? declared : { ...declared, cost, isCostStatic: true };
}

const sizeAt = (args: readonly CelValue[], at: number): number => costSize(args[at] ?? null);
const smaller: Cost = (args) => traversalCost(Math.min(sizeAt(args, 0), sizeAt(args, 1)));
const both: Cost = (args) => traversalCost(sizeAt(args, 0) + sizeAt(args, 1));

/** Comparing counts what it looks at as it goes on. */
const counted = (): number => 0;

/** Kinds of number as overload ids spell them. */
const NUMBERS: ReadonlyArray<readonly [string, CelType]> = [
  ["int64", INT],
  ["uint64", UINT],
  ["double", DOUBLE],
];

/** The order counts: the first overload that fits decides what a type not known yet is taken for. */
const numeric = (prefix: string): Overload[] => [
  overload(`${prefix}_double`, [DOUBLE, DOUBLE], DOUBLE),
  ...integer(prefix),
];
const integer = (prefix: string): Overload[] => [
  overload(`${prefix}_int64`, [INT, INT], INT),
  overload(`${prefix}_uint64`, [UINT, UINT], UINT),
];

function comparison(name: string, prefix: string, holds: (order: number) => boolean): FunctionDeclaration {
  const ofType = (suffix: string, type: CelType, cost?: Cost): Overload =>
    overload(`${prefix}_${suffix}`, [type, type], BOOL, cost);
  const crossType = NUMBERS.flatMap(([left, leftType]) =>
    NUMBERS.map(([right, rightType]) =>
      left === right
        ? ofType(left, leftType)
        : overload(`${prefix}_${left}_${right}`, [leftType, rightType], BOOL),
    ),
  );
  return {
    name,
    overloads: [
      ofType("bool", BOOL),
      ...crossType,
      ofType("string", STRING, smaller),
      ofType("bytes", BYTES, smaller),
      ofType("timestamp", TIMESTAMP),
      ofType("duration", DURATION),
    ],
    singleton: (a, b) => holds(compare(a, b, name)),
  };
}

function not(value: CelValue): CelValue {
  if (typeof value !== "boolean") throw new CelError("no such overload");
  return !value;
}

/** Overload ids that compare numbers of different kinds: out of bounds where an environment does not allow that. */
export const CROSS_TYPE_OVERLOADS: ReadonlySet<string> = new Set(
  ["less", "less_equals", "greater", "greater_equals"].flatMap((prefix) =>
    NUMBERS.flatMap(([left]) =>
      NUMBERS.filter(([right]) => right !== left).map(([right]) => `${prefix}_${left}_${right}`),
    ),
  ),
);

export const OPERATORS: readonly FunctionDeclaration[] = [
  // The compiler has these in hand, since they do not evaluate all of their operands.
  { name: OPERATOR.conditional, overloads: [overload("conditional", [BOOL, A, A], A)] },
  { name: OPERATOR.and, overloads: [overload("logical_and", [BOOL, BOOL], BOOL)] },
  { name: OPERATOR.or, overloads: [overload("logical_or", [BOOL, BOOL], BOOL)] },
  { name: OPERATOR.notStrictlyFalse, overloads: [overload("not_strictly_false", [BOOL], BOOL)] },
  {
    name: OPERATOR.index,
    overloads: [overload("index_list", [LIST_A, INT], A), overload("index_map", [MAP_AB, A], B)],
  },
  { name: OPERATOR.not, overloads: [overload("logical_not", [BOOL], BOOL)], singleton: not },
  {
    name: OPERATOR.equals,
    overloads: [overload("equals", [A, A], BOOL, smaller)],
    singleton: (a, b) => equals(a, b),
    work: counted,
  },
  {
    name: OPERATOR.notEquals,
    overloads: [overload("not_equals", [A, A], BOOL, smaller)],
    singleton: (a, b) => !equals(a, b),
    work: counted,
  },
  {
    name: OPERATOR.add,
    overloads: [
      overload("add_bytes", [BYTES, BYTES], BYTES, both),
      overload("add_double", [DOUBLE, DOUBLE], DOUBLE),
      overload("add_duration_duration", [DURATION, DURATION], DURATION),
      overload("add_duration_timestamp", [DURATION, TIMESTAMP], TIMESTAMP),
      overload("add_timestamp_duration", [TIMESTAMP, DURATION], TIMESTAMP),
      overload("add_int64", [INT, INT], INT),
      overload("add_list", [LIST_A, LIST_A], LIST_A),
      overload("add_string", [STRING, STRING], STRING, both),
      overload("add_uint64", [UINT, UINT], UINT),
    ],
    singleton: add,
  },
  {
    name: OPERATOR.subtract,
    overloads: [
      ...numeric("subtract"),
      overload("subtract_duration_duration", [DURATION, DURATION], DURATION),
      overload("subtract_timestamp_duration", [TIMESTAMP, DURATION], TIMESTAMP),
      overload("subtract_timestamp_timestamp", [TIMESTAMP, TIMESTAMP], DURATION),
    ],
    singleton: subtract,
  },
  { name: OPERATOR.multiply, overloads: numeric("multiply"), singleton: multiply },
  { name: OPERATOR.divide, overloads: numeric("divide"), singleton: divide },
  { name: OPERATOR.modulo, overloads: integer("modulo"), singleton: modulo },
  {
    name: OPERATOR.negate,
    overloads: [overload("negate_double", [DOUBLE], DOUBLE), overload("negate_int64", [INT], INT)],
    singleton: negate,
  },
  comparison(OPERATOR.less, "less", (order) => order < 0),
  comparison(OPERATOR.lessEquals, "less_equals", (order) => order <= 0),
  comparison(OPERATOR.greater, "greater", (order) => order > 0),
  comparison(OPERATOR.greaterEquals, "greater_equals", (order) => order >= 0),
  {
    name: OPERATOR.in,
    overloads: [
      overload("in_list", [A, LIST_A], BOOL, (args) => sizeAt(args, 1)),
      overload("in_map", [A, MAP_AB], BOOL),
    ],
    singleton: (value, container) => isIn(value, container),
    work: (value = null) => workOf(value),
  },
];
