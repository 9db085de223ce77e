import type { Expr, ExprFactory } from "../ast.ts";
import { CelError } from "../errors.ts";
import type { FunctionDeclaration, Library, Overload } from "../library.ts";
import type { CelMacro } from "../macro.ts";
import { bigIntOf, isNumeric, numberOf } from "../numbers.ts";
import { compare } from "../ordering.ts";
import { BOOL, type CelType, DOUBLE, DYN, INT, listType, UINT } from "../types.ts";
import {
  type CelDouble,
  CelUint,
  type CelValue,
  doubleOf,
  isDouble,
  isInt,
  makeDouble,
  makeInt,
  makeUint,
} from "../values.ts";

const NUMBERS: ReadonlyArray<readonly [string, CelType]> = [
  ["double", DOUBLE],
  ["int", INT],
  ["uint", UINT],
];

function overload(id: string, params: readonly CelType[], result: CelType, call: Overload["call"]): Overload {
  return { id, isMember: false, params, result, call };
}

/** `math.@min` and `math.@max`, which the macros `math.least` and `math.greatest` call. */
function extreme(name: "min" | "max"): FunctionDeclaration {
  const pick = (a: CelValue, b: CelValue): CelValue => {
    if (!isNumeric(a) || !isNumeric(b)) throw new CelError(`no such overload: math.@${name}`);
    const order = compare(a, b, `math.@${name}`);
    return (name === "min" ? order > 0 : order < 0) ? b : a;
  };
  const ofList = (value: CelValue): CelValue => {
    const list = value as readonly CelValue[];
    const [first] = list;
    if (first === undefined) throw new CelError(`math.@${name}(list) argument must not be empty`);
    if (!isNumeric(first)) throw new CelError(`no such overload: math.@${name}`);
    return list.reduce(pick, first);
  };
  const identity = (value: CelValue): CelValue => value;
  return {
    name: `math.@${name}`,
    overloads: [
      ...NUMBERS.map(([kind, type]) => overload(`math_@${name}_${kind}`, [type], type, identity)),
      ...NUMBERS.flatMap(([kind, type]) =>
        NUMBERS.map(([other, otherType]) =>
          overload(`math_@${name}_${kind}_${other}`, [type, otherType], kind === other ? type : DYN, pick),
        ),
      ),
      ...NUMBERS.map(([kind, type]) =>
        overload(`math_@${name}_list_${kind}`, [listType(type)], type, ofList),
      ),
    ],
  };
}

const double = (value: CelValue): number => doubleOf(value as number | CelDouble);

function ofDouble(name: string, apply: (value: number) => number): FunctionDeclaration {
  return {
    name: `math.${name}`,
    overloads: [
      overload(`math_${name}_double`, [DOUBLE], DOUBLE, (value) => makeDouble(apply(double(value)))),
    ],
  };
}

function testOfDouble(name: string, test: (value: number) => boolean): FunctionDeclaration {
  return {
    name: `math.${name}`,
    overloads: [overload(`math_${name}_double`, [DOUBLE], BOOL, (value) => test(double(value)))],
  };
}

/** Halves go away from zero, other than with Math.round. */
const round = (value: number): number =>
  Number.isInteger(value) ? value : Math.sign(value) * Math.floor(Math.abs(value) + 0.5);

function abs(value: CelValue): CelValue {
  if (isInt(value)) return value < 0 ? makeInt(-bigIntOf(value)) : value;
  return isDouble(value) ? makeDouble(Math.abs(doubleOf(value))) : value;
}

function sign(value: CelValue): CelValue {
  if (isInt(value)) return value < 0 ? -1 : value > 0 ? 1 : 0;
  if (isDouble(value)) return makeDouble(Math.sign(doubleOf(value)) + 0);
  return makeUint(value instanceof CelUint && value.value > 0n ? 1 : 0);
}

function ofEach(name: string, apply: (value: CelValue) => CelValue, result?: CelType): FunctionDeclaration {
  return {
    name: `math.${name}`,
    overloads: NUMBERS.map(([kind, type]) => overload(`math_${name}_${kind}`, [type], result ?? type, apply)),
  };
}

const wide = (value: CelValue): bigint =>
  value instanceof CelUint ? value.value : bigIntOf(value as number | bigint);
/** 64 bits of a result as a value of the kind of the first operand. */
const narrow = (bits: bigint, like: CelValue): CelValue =>
  like instanceof CelUint ? new CelUint(BigInt.asUintN(64, bits)) : makeInt(BigInt.asIntN(64, bits));

function bitwise(name: string, apply: (a: bigint, b: bigint) => bigint): FunctionDeclaration {
  const call = (a: CelValue, b: CelValue): CelValue => narrow(apply(wide(a), wide(b)), a);
  return {
    name: `math.${name}`,
    overloads: [
      overload(`math_${name}_int_int`, [INT, INT], INT, call),
      overload(`math_${name}_uint_uint`, [UINT, UINT], UINT, call),
    ],
  };
}

function shift(name: string, apply: (bits: bigint, by: bigint) => bigint): FunctionDeclaration {
  const call = (value: CelValue, offset: CelValue): CelValue => {
    const by = wide(offset);
    if (by < 0n) throw new CelError(`math.${name}() negative offset: ${by}`);
    return by > 63n ? narrow(0n, value) : narrow(apply(BigInt.asUintN(64, wide(value)), by), value);
  };
  return {
    name: `math.${name}`,
    overloads: [
      overload(`math_${name}_int_int`, [INT, INT], INT, call),
      overload(`math_${name}_uint_int`, [UINT, INT], UINT, call),
    ],
  };
}

const bitNot: FunctionDeclaration = {
  name: "math.bitNot",
  overloads: [
    overload("math_bitNot_int_int", [INT], INT, (value) => narrow(~wide(value), value)),
    overload("math_bitNot_uint_uint", [UINT], UINT, (value) => narrow(~wide(value), value)),
  ],
};

function isNumericArgument(arg: Expr): boolean {
  if (arg.kind === "literal") return isNumeric(arg.value);
  return arg.kind !== "list" && arg.kind !== "map" && arg.kind !== "struct";
}

function extremeMacro(name: string, functionName: string): CelMacro {
  const expand = (make: ExprFactory, target: Expr | undefined, args: readonly Expr[]): Expr | undefined => {
    if (target?.kind !== "ident" || target.name !== "math") return undefined;
    const [first] = args;
    if (first === undefined) return make.fail(target, `math.${name}() requires at least one argument`);
    if (args.length === 1) {
      const isList = first.kind === "list" && first.elements.length > 0;
      const isFit = isList
        ? first.elements.every(({ value }) => isNumericArgument(value))
        : isNumericArgument(first);
      return isFit
        ? make.call(functionName, first)
        : make.fail(first, `math.${name}() invalid single argument value`);
    }
    const wrong = args.find((arg) => !isNumericArgument(arg));
    if (wrong !== undefined)
      return make.fail(wrong, `math.${name}() simple literal arguments must be numeric`);
    return args.length === 2 ? make.call(functionName, ...args) : make.call(functionName, make.list(...args));
  };
  return { name, argCount: "any", isMember: true, expand };
}

/** `math.least`, `math.ceil`, `math.bitAnd`… (ext/math.go of cel-go). */
export const mathLibrary: Library = {
  name: "math",
  macros: [extremeMacro("least", "math.@min"), extremeMacro("greatest", "math.@max")],
  functions: [
    extreme("min"),
    extreme("max"),
    ofDouble("ceil", Math.ceil),
    ofDouble("floor", Math.floor),
    ofDouble("round", round),
    ofDouble("trunc", Math.trunc),
    testOfDouble("isInf", (value) => value === Infinity || value === -Infinity),
    testOfDouble("isNaN", Number.isNaN),
    testOfDouble("isFinite", Number.isFinite),
    ofEach("abs", abs),
    ofEach("sign", sign),
    ofEach("sqrt", (value) => makeDouble(Math.sqrt(numberOf(value) ?? Number.NaN)), DOUBLE),
    bitwise("bitAnd", (a, b) => a & b),
    bitwise("bitOr", (a, b) => a | b),
    bitwise("bitXor", (a, b) => a ^ b),
    bitNot,
    shift("bitShiftLeft", (bits, by) => bits << by),
    shift("bitShiftRight", (bits, by) => bits >> by),
  ],
};
