/**
 * The operators on numbers, exact on integers of any size and at 64 bits of mantissa otherwise
 * (OPA's v1/topdown/arithmetic.go), and `-` of sets.
 */
import { integer, isNumber, isSet, type RegoNumber, RegoSet, type RegoValue } from "../values.ts";
import { countWork } from "../work-meter.ts";
import { type Builtin, LimitError } from "./contract.ts";
import {
  addFloat,
  type BigFloat,
  bigFloatOf,
  divideFloat,
  multiplyFloat,
  negateFloat,
  numberOfFloat,
} from "./go/big-float.ts";
import { maxIntegerBits } from "./limits.ts";
import { builtin, failure, numberOperand, operand, toBigInt, wrongType } from "./operands.ts";

const LARGEST = 1n << BigInt(maxIntegerBits);

/** A result an integer operation made, refused when it has grown out of all proportion. */
export function boundedInteger(value: bigint): RegoNumber {
  if (value > LARGEST || value < -LARGEST) {
    throw new LimitError(`the result is an integer of more than ${maxIntegerBits} bits`);
  }
  return integer(value);
}

export function ofFloat(value: BigFloat): RegoNumber {
  const number = numberOfFloat(value);
  return typeof number === "bigint" ? boundedInteger(number) : number;
}

interface Operation {
  /** On JS numbers; taken when operands and result are safe integers. */
  readonly small: (x: number, y: number) => number;
  readonly exact: (x: bigint, y: bigint) => bigint;
  readonly float: (x: BigFloat, y: BigFloat) => BigFloat;
}

function evaluate(operation: Operation, x: RegoNumber, y: RegoNumber): RegoNumber {
  if (Number.isSafeInteger(x) && Number.isSafeInteger(y)) {
    const result = operation.small(Number(x), Number(y));
    if (Number.isSafeInteger(result)) {
      return result === 0 ? 0 : result;
    }
  }
  const left = toBigInt(x);
  const right = toBigInt(y);
  if (left !== undefined && right !== undefined) {
    return boundedInteger(operation.exact(left, right));
  }
  return ofFloat(operation.float(bigFloatOf(x), bigFloatOf(y)));
}

const addition: Operation = { small: (x, y) => x + y, exact: (x, y) => x + y, float: addFloat };
const subtraction: Operation = {
  small: (x, y) => x - y,
  exact: (x, y) => x - y,
  float: (x, y) => addFloat(x, negateFloat(y)),
};
const multiplication: Operation = { small: (x, y) => x * y, exact: (x, y) => x * y, float: multiplyFloat };

export const add = (x: RegoNumber, y: RegoNumber): RegoNumber => evaluate(addition, x, y);
export const multiply = (x: RegoNumber, y: RegoNumber): RegoNumber => evaluate(multiplication, x, y);

function divide(x: RegoNumber, y: RegoNumber): RegoNumber {
  if (Number(y) === 0) {
    throw failure("divide by zero");
  }
  if (Number.isSafeInteger(x) && Number.isSafeInteger(y)) {
    const quotient = Number(x) / Number(y);
    return quotient === 0 ? 0 : quotient;
  }
  return ofFloat(divideFloat(bigFloatOf(x), bigFloatOf(y)));
}

function remainder(x: RegoNumber, y: RegoNumber): RegoNumber {
  const left = toBigInt(x);
  const right = toBigInt(y);
  if (left === undefined || right === undefined) {
    throw failure("modulo on floating-point number");
  }
  if (right === 0n) {
    throw failure("modulo by zero");
  }
  return integer(left % right);
}

function minus(x: RegoValue, y: RegoValue): RegoValue {
  if (isNumber(x) && isNumber(y)) {
    return evaluate(subtraction, x, y);
  }
  if (isSet(x) && isSet(y)) {
    return difference(x, y);
  }
  if (!isNumber(x) && !isSet(x)) {
    throw wrongType(1, x, "number", "set");
  }
  throw wrongType(2, y, isNumber(y) ? "set" : "number");
}

export function difference(x: RegoSet, y: RegoSet): RegoSet {
  const result = new RegoSet();
  for (const item of x) {
    countWork(1);
    if (!y.has(item)) {
      result.add(item);
    }
  }
  return result;
}

/** Half goes away from zero. */
function round(value: number): number {
  const whole = Math.trunc(value);
  return Math.abs(value - whole) >= 0.5 ? whole + Math.sign(value) : whole;
}

/**
 * OPA looks at the sign after it has cut off the fraction (arithCeil), which loses it between -1 and 0:
 * ceil(-0.5) is 1 there, and here, so that a policy decides alike.
 */
function ceil(value: number): number {
  const whole = Math.trunc(value);
  return whole < 0 || whole === value ? whole : whole + 1;
}

/** As {@link ceil}: floor(-0.5) is 0. */
function floor(value: number): number {
  const whole = Math.trunc(value);
  return whole >= 0 || whole === value ? whole : whole - 1;
}

function unary(name: string, small: (value: number) => number): Builtin {
  return builtin(name, 1, (args) => {
    const value = numberOperand(args, 1);
    if (typeof value === "bigint") {
      return name === "abs" && value < 0n ? -value : value;
    }
    const result = small(value);
    return result === 0 ? 0 : result;
  });
}

function binary(name: string, operation: (x: RegoNumber, y: RegoNumber) => RegoNumber): Builtin {
  return builtin(name, 2, (args) => operation(numberOperand(args, 1), numberOperand(args, 2)));
}

const whole = (operation: (value: number) => number) => (value: number) =>
  Number.isInteger(value) ? value : operation(value);

export const arithmeticBuiltins: readonly Builtin[] = [
  binary("plus", add),
  binary("mul", multiply),
  binary("div", divide),
  binary("rem", remainder),
  builtin("minus", 2, (args) => minus(operand(args, 1), operand(args, 2))),
  unary("abs", Math.abs),
  unary("round", whole(round)),
  unary("ceil", whole(ceil)),
  unary("floor", whole(floor)),
];
