import { CelError } from "./errors.ts";
import type { FunctionDeclaration, Overload } from "./library.ts";
import { type TypeTest, typeTest } from "./matches-type.ts";
import { noOperator } from "./standard/arithmetic.ts";
import type { TypeKind } from "./types.ts";
import { type CelValue, typeOf } from "./values.ts";
import { spend, workOf } from "./work.ts";

/** A function made ready to be called with values. */
export interface Call {
  readonly invoke: (args: readonly CelValue[]) => CelValue;
  readonly unary: (a: CelValue) => CelValue;
  readonly binary: (a: CelValue, b: CelValue) => CelValue;
  /** Set when every call costs the same, whatever the arguments. */
  readonly fixedCost: number | undefined;
  readonly cost: (args: readonly CelValue[], result: CelValue) => number;
  /**
   * All arguments are evaluated, and the call is paid for, even if one of them has no value: cel-go does so for one
   * or two arguments where it knows which implementation to call (interpreter/planner.go).
   */
  readonly isEager: boolean;
  /** `cost` needs no result, and is to be charged before the call. */
  readonly isCostAhead: boolean;
}

/**
 * Chooses among overloads by the types of the arguments, at every call. When the checker left one overload it is
 * still made sure that the arguments fit, since `dyn` may hold anything.
 */
export function dispatcher(
  name: string,
  declaration: FunctionDeclaration | undefined,
  candidates: readonly Overload[],
  isChecked: boolean,
): Call {
  const singleton = declaration?.singleton;
  const only = candidates.length === 1 && isChecked ? candidates[0] : undefined;
  const isEager = singleton !== undefined || only !== undefined;
  const costs = { ...costOf(candidates, only), isEager };
  if (singleton !== undefined) {
    const call = only !== undefined && isSmall(only) ? singleton : counted(singleton, declaration?.work);
    return { ...costs, invoke: (args) => call(...args), unary: call, binary: call };
  }
  const guarded = candidates.map((overload) => ({
    call: isSmall(overload) ? overload.call : counted(overload.call, overload.work),
    tests: overload.params.map(typeTest),
  }));
  const [first] = guarded;
  if (first === undefined) return { ...costs, ...undefinedFunction(name) };
  const choose = (args: readonly CelValue[]): CelValue => {
    for (const { call, tests } of guarded) if (fits(tests, args)) return call(...args);
    throw noSuchOverload(name, args);
  };
  if (guarded.length > 1) {
    return { ...costs, invoke: choose, unary: (a) => choose([a]), binary: (a, b) => choose([a, b]) };
  }
  const { call, tests } = first;
  const [testA, testB] = tests;
  return {
    ...costs,
    invoke: choose,
    unary: (a) => (testA === undefined || testA(a) ? call(a) : choose([a])),
    binary: (a, b) => (testA?.(a) === true && testB?.(b) === true ? call(a, b) : choose([a, b])),
  };
}

/** Types whose values are all of about one size. */
const smallKinds: ReadonlySet<TypeKind> = new Set<TypeKind>([
  ...(["bool", "double", "duration", "int", "null", "timestamp", "type", "uint"] as const),
]);

/** Whether calls take no more than their cost tells: the arguments are small whatever they are. */
function isSmall({ params, work }: Overload): boolean {
  return work === undefined && params.every(({ kind }) => smallKinds.has(kind));
}

/** The call with its work counted first. */
function counted(call: Overload["call"], work: Overload["work"]): (...args: CelValue[]) => CelValue {
  if (work !== undefined) {
    return (...args) => {
      spend(work(...args));
      return call(...args);
    };
  }
  return (...args) => {
    let units = 0;
    for (const arg of args) units += workOf(arg);
    if (units > 0) spend(units);
    return call(...args);
  };
}

function costOf(
  candidates: readonly Overload[],
  only: Overload | undefined,
): Pick<Call, "cost" | "fixedCost" | "isCostAhead"> {
  const isCosted = (overload: Overload): boolean =>
    overload.cost !== undefined && (only !== undefined || overload.isCostStatic !== true);
  const costed = candidates.filter(isCosted);
  if (costed.length === 0) return { fixedCost: 1, cost: () => 1, isCostAhead: false };
  const isCostAhead = costed.every((overload) => overload.isCostAhead === true);
  const [single] = candidates;
  if (candidates.length === 1 && single?.cost !== undefined)
    return { fixedCost: undefined, cost: single.cost, isCostAhead };
  const guarded = candidates.map((overload) => ({ overload, tests: overload.params.map(typeTest) }));
  return {
    fixedCost: undefined,
    isCostAhead,
    cost: (args, result) => {
      const chosen = guarded.find(({ tests }) => fits(tests, args))?.overload;
      return chosen !== undefined && isCosted(chosen) ? (chosen.cost?.(args, result) ?? 1) : 1;
    },
  };
}

function fits(tests: readonly TypeTest[], args: readonly CelValue[]): boolean {
  if (tests.length !== args.length) return false;
  for (let at = 0; at < tests.length; at++) if (tests[at]?.(args[at] ?? null) !== true) return false;
  return true;
}

function noSuchOverload(name: string, args: readonly CelValue[]): CelError {
  return new CelError(`no such overload: ${name}(${args.map((arg) => typeOf(arg).name).join(", ")})`);
}

function undefinedFunction(name: string): Pick<Call, "invoke" | "unary" | "binary"> {
  const fail = (first: CelValue): never => {
    throw noOperator(name, first);
  };
  return { invoke: (args) => fail(args[0] ?? null), unary: fail, binary: fail };
}
