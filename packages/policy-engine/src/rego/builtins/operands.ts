/**
 * Reads a built-in's arguments as the types it declares. The messages are those of OPA's
 * v1/topdown/builtins (NewOperandTypeErr and its siblings): policies' tests and OPA's own cases compare them.
 *
 * Positions count from 1, as in the messages.
 */
import {
  type AnyObject,
  isArray,
  isNumber,
  isObject,
  isSet,
  type RegoNumber,
  type RegoSet,
  type RegoValue,
  typeName,
} from "../values.ts";
import { countWork } from "../work-meter.ts";
import { type Builtin, type BuiltinContext, BuiltinError } from "./contract.ts";

export type Call = (args: readonly RegoValue[], context: BuiltinContext) => RegoValue | undefined;

/** A declared built-in; families are lists of these. */
export function builtin(name: string, arity: number, call: Call): Builtin {
  return { name, arity, call };
}

/** One that takes no longer for larger arguments, or charges for them itself (see `Builtin.isFree`). */
export function freeBuiltin(name: string, arity: number, call: Call): Builtin {
  return { name, arity, call, isFree: true };
}

/** The arguments have the right types, and the call still makes no sense. */
export function failure(message: string, cause?: unknown): BuiltinError {
  return new BuiltinError("eval_builtin_error", message, cause === undefined ? undefined : { cause });
}

export function operandError(position: number, message: string): BuiltinError {
  return new BuiltinError("eval_type_error", `operand ${position} ${message}`);
}

export function wrongType(position: number, got: RegoValue, ...expected: readonly string[]): BuiltinError {
  const wanted = expected.length === 1 ? expected[0] : `one of {${expected.join(", ")}}`;
  return operandError(position, `must be ${wanted} but got ${typeName(got)}`);
}

/** An array or set holds an element of a wrong type. */
export function wrongElement(
  position: number,
  composite: RegoValue,
  got: RegoValue,
  expected: string,
): BuiltinError {
  const kind = typeName(composite);
  return operandError(
    position,
    `must be ${kind} of ${expected}s but got ${kind} containing ${typeName(got)}`,
  );
}

/** The argument as it is. */
export function operand(args: readonly RegoValue[], position: number): RegoValue {
  const value = args[position - 1];
  if (value === undefined) {
    throw new BuiltinError("eval_type_error", `operand ${position} is missing`);
  }
  return value;
}

export function asText(value: RegoValue, position: number): string {
  if (typeof value !== "string") {
    throw wrongType(position, value, "string");
  }
  return value;
}

/** `reported` is the position OPA's message names, where that is another than the argument's own. */
export function textOperand(args: readonly RegoValue[], position: number, reported = position): string {
  return asText(operand(args, position), reported);
}

export function asNumber(value: RegoValue, position: number): RegoNumber {
  if (!isNumber(value)) {
    throw wrongType(position, value, "number");
  }
  return value;
}

export function numberOperand(args: readonly RegoValue[], position: number, reported = position): RegoNumber {
  return asNumber(operand(args, position), reported);
}

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;

export function isInt64(value: bigint): boolean {
  return value >= MIN_INT64 && value <= MAX_INT64;
}

/** The integer a number is; undefined when it has a fraction. */
export function toBigInt(value: RegoNumber): bigint | undefined {
  if (typeof value === "bigint") {
    return value;
  }
  return Number.isInteger(value) ? BigInt(value) : undefined;
}

const notAnInteger = "must be integer number but got floating-point number";

/** Go's int: 64 bits. For sizes and indexes, so it comes as the nearest JS number. */
export function intOperand(args: readonly RegoValue[], position: number): number {
  const value = toBigInt(numberOperand(args, position));
  if (value === undefined || !isInt64(value)) {
    throw operandError(position, notAnInteger);
  }
  return Number(value);
}

export function bigIntOperand(args: readonly RegoValue[], position: number): bigint {
  const given = operand(args, position);
  if (!isNumber(given)) {
    throw wrongType(position, given, "integer");
  }
  const value = toBigInt(given);
  if (value === undefined) {
    throw operandError(position, notAnInteger);
  }
  return value;
}

export function arrayOperand(args: readonly RegoValue[], position: number): readonly RegoValue[] {
  const value = operand(args, position);
  if (!isArray(value)) {
    throw wrongType(position, value, "array");
  }
  return value;
}

export function objectOperand(args: readonly RegoValue[], position: number, reported = position): AnyObject {
  const value = operand(args, position);
  if (!isObject(value)) {
    throw wrongType(reported, value, "object");
  }
  return value;
}

export function asSet(value: RegoValue, position: number): RegoSet {
  if (!isSet(value)) {
    throw wrongType(position, value, "set");
  }
  return value;
}

export function setOperand(args: readonly RegoValue[], position: number): RegoSet {
  return asSet(operand(args, position), position);
}

/** An array's elements, or a set's in Rego's order. */
export function listOf(value: RegoValue): readonly RegoValue[] | undefined {
  if (isArray(value)) {
    return value;
  }
  return isSet(value) ? value.sorted() : undefined;
}

/** The strings of an array or set. `kinds` is the order in which the message names what was expected. */
export function textListOperand(
  args: readonly RegoValue[],
  position: number,
  kinds: readonly string[] = ["array", "set"],
): readonly string[] {
  const value = operand(args, position);
  const list = listOf(value);
  if (list === undefined) {
    throw wrongType(position, value, ...kinds);
  }
  return list.map((item) => {
    countWork(1);
    if (typeof item !== "string") {
      throw wrongElement(position, value, item, "string");
    }
    return item;
  });
}
