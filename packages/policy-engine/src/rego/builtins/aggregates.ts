/** `count`, `sum` and their kin over arrays and sets, and membership (OPA's v1/topdown/aggregates.go). */
import {
  compareValues,
  entriesOf,
  equalValues,
  getKey,
  isArray,
  isNumber,
  isObject,
  isSet,
  type RegoNumber,
  type RegoValue,
  sizeOf,
  sorted,
} from "../values.ts";
import { countWork } from "../work-meter.ts";
import { add, multiply, ofFloat } from "./arithmetic.ts";
import type { Builtin, BuiltinContext } from "./contract.ts";
import { bigFloatOf, floatOfInteger, multiplyToDouble } from "./go/big-float.ts";
import { runeCount } from "./go/bytes.ts";
import { builtin, freeBuiltin, listOf, operand, toBigInt, wrongElement, wrongType } from "./operands.ts";

function count(value: RegoValue, context: BuiltinContext): number {
  if (isArray(value)) {
    return value.length;
  }
  if (typeof value === "string") {
    context.spend(1 + (value.length >>> 4));
    return runeCount(value);
  }
  if (isSet(value)) {
    return value.size;
  }
  if (isObject(value)) {
    return sizeOf(value);
  }
  throw wrongType(1, value, "array", "object", "set", "string");
}

function elements(
  args: readonly RegoValue[],
  context: BuiltinContext,
  ...kinds: string[]
): readonly RegoValue[] {
  const value = operand(args, 1);
  const list = listOf(value);
  if (list === undefined) {
    throw wrongType(1, value, ...(kinds.length > 0 ? kinds : ["set", "array"]));
  }
  context.spend(list.length);
  return list;
}

function numbersOf(args: readonly RegoValue[], context: BuiltinContext): readonly RegoNumber[] {
  return elements(args, context).map((item) => {
    if (!isNumber(item)) {
      throw wrongElement(1, operand(args, 1), item, "number");
    }
    return item;
  });
}

/** Integers are multiplied exactly; as soon as one is none, all are at 53 bits. */
function product(numbers: readonly RegoNumber[]): RegoNumber {
  if (numbers.every((number) => toBigInt(number) !== undefined)) {
    return numbers.reduce((made, number) => {
      countWork(1);
      return multiply(made, number);
    }, 1);
  }
  return ofFloat(numbers.map(bigFloatOf).reduce(multiplyToDouble, floatOfInteger(1n)));
}

function extreme(name: string, sign: 1 | -1): Builtin {
  return builtin(name, 1, (args, context) => {
    let best: RegoValue | undefined;
    for (const item of elements(args, context)) {
      if (best === undefined || sign * compareValues(item, best) >= 0) {
        best = item;
      }
    }
    return best;
  });
}

function isMember(value: RegoValue, collection: RegoValue): boolean {
  if (isSet(collection)) {
    return collection.has(value);
  }
  if (isArray(collection)) {
    return collection.some((item) => equalValues(item, value));
  }
  if (isObject(collection)) {
    for (const [, item] of entriesOf(collection)) {
      countWork(1);
      if (equalValues(item, value)) {
        return true;
      }
    }
  }
  return false;
}

/** `key, value in collection`. */
function isEntry(key: RegoValue, value: RegoValue, collection: RegoValue): boolean {
  if (isSet(collection)) {
    return collection.has(key) && equalValues(key, value);
  }
  let found: RegoValue | undefined;
  if (isArray(collection)) {
    found = typeof key === "number" && Number.isSafeInteger(key) ? collection[key] : undefined;
  } else if (isObject(collection)) {
    found = getKey(collection, key);
  }
  return found !== undefined && equalValues(found, value);
}

function spendOn(collection: RegoValue, context: BuiltinContext): void {
  if (isArray(collection)) {
    context.spend(collection.length);
  }
}

export const aggregateBuiltins: readonly Builtin[] = [
  freeBuiltin("count", 1, (args, context) => count(operand(args, 1), context)),
  builtin("sum", 1, (args, context) => numbersOf(args, context).reduce(add, 0)),
  builtin("product", 1, (args, context) => product(numbersOf(args, context))),
  extreme("max", 1),
  extreme("min", -1),
  builtin("sort", 1, (args, context) => {
    const list = elements(args, context);
    context.spend(list.length * Math.ceil(Math.log2(list.length + 1)));
    return isSet(operand(args, 1)) ? [...list] : sorted([...list], compareValues);
  }),
  builtin("all", 1, (args, context) =>
    elements(args, context, "array", "set").every((item) => item === true),
  ),
  builtin("any", 1, (args, context) => elements(args, context, "array", "set").some((item) => item === true)),
  freeBuiltin("internal.member_2", 2, (args, context) => {
    spendOn(operand(args, 2), context);
    return isMember(operand(args, 1), operand(args, 2));
  }),
  freeBuiltin("internal.member_3", 3, (args) =>
    isEntry(operand(args, 1), operand(args, 2), operand(args, 3)),
  ),
];
