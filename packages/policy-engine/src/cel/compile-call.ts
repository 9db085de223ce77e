import { type CallExpr, type Expr, OPERATOR } from "./ast.ts";
import { compileLogic } from "./compile-logic.ts";
import type { Compiler } from "./compiler.ts";
import { type Call, dispatcher } from "./dispatch.ts";
import { equals } from "./equality.ts";
import { CelError, CelPanicError } from "./errors.ts";
import { goTypeName } from "./fields.ts";
import { constantNode, type Eval, type Frame, type Node, Thrown, valueOrThrown } from "./frame.ts";
import { writeCostedCall, writeEquality, writeFixedCall, writeIn } from "./generate/write-call.ts";
import type { FunctionDeclaration, Overload } from "./library.ts";
import { afterFirst } from "./rescue.ts";
import { costSize, traversalCost } from "./size.ts";
import { spelledName } from "./spelled-name.ts";
import { CONVERSION_FUNCTIONS } from "./standard/conversions.ts";
import { CelDouble, CelOptional, CelUint, type CelValue, isList, isMap } from "./values.ts";

export function compileCall(compiler: Compiler, expr: CallExpr): Node {
  const special =
    compileLogic(compiler, expr) ?? compileEquality(compiler, expr) ?? compileIn(compiler, expr);
  if (special !== undefined) return special;
  const { declaration, candidates, args } = resolve(compiler, expr);
  const isMember = args.length > expr.args.length;
  if (isMember && (expr.name === "or" || expr.name === "orValue")) {
    if (candidates.some((overload) => OPTIONAL_CHAINS.has(overload.id)))
      return compileOptionalChain(compiler, expr);
  }
  const nodes = args.map((arg) => compiler.compile(arg));
  const name = declaration?.name ?? expr.name.replace(/^\./, "");
  const call = dispatcher(name, declaration, candidates, compiler.isChecked);
  const constants = nodes.map((node) => node.constant);
  if (CONVERSION_FUNCTIONS.has(name) && nodes.length === 1 && constants[0] !== undefined) {
    // Throws where the constant cannot be converted: such a program is never made.
    return constantNode(call.invoke([constants[0]]));
  }
  return {
    run: callEval(
      nodes.map((node) => node.run),
      call,
    ),
    write: writeFixedCall(name, call, nodes) ?? writeCostedCall(name, call, nodes),
  };
}

const OPTIONAL_CHAINS: ReadonlySet<string> = new Set(["optional_or_optional", "optional_orValue_value"]);

interface Resolution {
  readonly declaration: FunctionDeclaration | undefined;
  readonly candidates: readonly Overload[];
  /** The receiver, if any, and the arguments. */
  readonly args: readonly Expr[];
}

function resolve(compiler: Compiler, expr: CallExpr): Resolution {
  const reference = compiler.reference(expr);
  const withTarget = expr.target === undefined ? expr.args : [expr.target, ...expr.args];
  if (reference?.kind === "call") {
    return {
      declaration: compiler.env.findFunction(`.${reference.name}`),
      candidates: reference.overloads,
      args: reference.isNamespaced ? expr.args : withTarget,
    };
  }
  const prefix = expr.target === undefined ? undefined : spelledName(expr.target);
  if (prefix !== undefined && compiler.findLocal(prefix.split(".")[0] ?? "") === undefined) {
    const declaration = compiler.env.findFunction(`${prefix}.${expr.name}`);
    if (declaration !== undefined)
      return { declaration, candidates: fitting(declaration, expr.args, false), args: expr.args };
  }
  const declaration = compiler.env.findFunction(expr.name);
  return {
    declaration,
    candidates: fitting(declaration, withTarget, expr.target !== undefined),
    args: withTarget,
  };
}

function fitting(
  declaration: FunctionDeclaration | undefined,
  args: readonly Expr[],
  isMember: boolean,
): Overload[] {
  return (declaration?.overloads ?? []).filter(
    (overload) => overload.isMember === isMember && overload.params.length === args.length,
  );
}

/** Closures by number of arguments: calls with one or two are the most by far, and need no list of them. */
function callEval(runs: readonly Eval[], call: Call): Eval {
  const { fixedCost, isEager } = call;
  const [first, second] = runs;
  if (!isEager || fixedCost === undefined || first === undefined) return generalCall(runs, call);
  if (runs.length === 1) {
    const { unary } = call;
    return (frame) => {
      frame.cost += fixedCost;
      return unary(first(frame));
    };
  }
  if (second === undefined || runs.length > 2) return generalCall(runs, call);
  const { binary } = call;
  return (frame) => {
    frame.cost += fixedCost;
    let a: CelValue;
    try {
      a = first(frame);
    } catch (error) {
      throw afterFirst(error, second, frame);
    }
    return binary(a, second(frame));
  };
}

function generalCall(runs: readonly Eval[], call: Call): Eval {
  if (call.isCostAhead) return costedAhead(runs, call);
  const { invoke, fixedCost, cost } = call;
  const isEager = call.isEager && runs.length <= 2;
  return (frame) => {
    const args = argumentsOf(runs, frame, isEager);
    let result: CelValue = null;
    try {
      result = invoke(args);
    } finally {
      frame.cost += fixedCost ?? cost(args, result);
    }
    frame.checkCost();
    return result;
  };
}

/** A call that is paid for by the length of its last argument, a list, before it is made: sorting and the like. */
function costedAhead(runs: readonly Eval[], call: Call): Eval {
  const { invoke, cost, isEager } = call;
  return (frame) => {
    const args = runs.map((run) => valueOrThrown(run, frame));
    const list = args[args.length - 1] ?? null;
    // The cost of the call is where upstream takes for granted that there is a list.
    if (isEager && list instanceof Thrown) throw new CelPanicError("*types.Err", "Add");
    for (const value of args) if (value instanceof Thrown) throw value.error;
    if (isEager && !isList(list)) throw new CelPanicError(goTypeName(list), missingListMethod(list));
    frame.cost += cost(args, null);
    frame.checkCost();
    return invoke(args);
  };
}

/** The first of the methods of lists that a Go value of this type lacks. */
function missingListMethod(value: CelValue): string {
  const hasAdd =
    typeof value !== "boolean" && value !== null && !isMap(value) && !(value instanceof CelOptional);
  return hasAdd ? "Contains" : "Add";
}

/** The call is paid for, though it is not made, when all its arguments were evaluated. */
function argumentsOf(runs: readonly Eval[], frame: Frame, isEager: boolean): CelValue[] {
  const [first, second] = runs;
  const args: CelValue[] = [];
  for (const run of runs) {
    try {
      args.push(run(frame));
    } catch (error) {
      const isLast = args.length === runs.length - 1;
      if (isLast || isEager) frame.cost += 1;
      throw isEager && run === first && second !== undefined ? afterFirst(error, second, frame) : error;
    }
  }
  return args;
}

function compileEquality(compiler: Compiler, expr: CallExpr): Node | undefined {
  const isEquals = expr.name === OPERATOR.equals;
  const [left, right] = expr.args;
  if ((!isEquals && expr.name !== OPERATOR.notEquals) || left === undefined || right === undefined)
    return undefined;
  const nodes = [compiler.compile(left), compiler.compile(right)] as const;
  const [{ run: a }, { run: b }] = nodes;
  const isWanted = (frame: Frame, x: CelValue, y: CelValue): boolean => {
    frame.cost += equalityCost(x, y) - 1;
    return equals(x, y) === isEquals;
  };
  return {
    write: writeEquality(...nodes, isWanted, isEquals),
    run: (frame) => {
      // What it costs when a side has no value.
      frame.cost += 1;
      let x: CelValue;
      try {
        x = a(frame);
      } catch (error) {
        throw afterFirst(error, b, frame);
      }
      return isWanted(frame, x, b(frame));
    },
  };
}

function equalityCost(a: CelValue, b: CelValue): number {
  if (isPlainScalar(a) && isPlainScalar(b)) return 1;
  return traversalCost(Math.min(costSize(a), costSize(b)));
}

const isPlainScalar = (value: CelValue): boolean =>
  typeof value === "string"
    ? value.length > 0 && value.length <= 10
    : typeof value !== "object" || value === null;

/** A value looked for in a constant list costs nothing, since cel-go looks it up in a set (interpreter/decorators.go). */
function compileIn(compiler: Compiler, expr: CallExpr): Node | undefined {
  const [element, list] = expr.args;
  if (expr.name !== OPERATOR.in || element === undefined || list === undefined) return undefined;
  const reference = compiler.reference(expr);
  if (
    reference?.kind !== "call" ||
    reference.overloads.length !== 1 ||
    reference.overloads[0]?.id !== "in_list"
  ) {
    return undefined;
  }
  const { constant } = compiler.compile(list);
  if (!Array.isArray(constant) || constant.some(isNoSetMember)) return undefined;
  const values: readonly CelValue[] = constant;
  if (values.length === 0) return constantNode(false);
  const node = compiler.compile(element);
  const { run } = node;
  const strings = new Set(values.filter((value) => typeof value === "string"));
  const others = values.filter((value) => typeof value !== "string");
  const isListed = (value: CelValue): boolean =>
    typeof value === "string" ? strings.has(value) : others.some((other) => equals(value, other));
  return { run: (frame) => isListed(run(frame)), write: writeIn(node, isListed) };
}

/** cel-go makes no set of these: values that are not scalars, and bytes. */
const isNoSetMember = (value: CelValue): boolean =>
  value === null ||
  (typeof value === "object" && !(value instanceof CelUint) && !(value instanceof CelDouble));

/** `a.or(b)` and `a.orValue(b)`: what follows is only evaluated when there is no value. They cost nothing themselves. */
function compileOptionalChain(compiler: Compiler, expr: CallExpr): Node {
  const [argument] = expr.args;
  if (expr.target === undefined || argument === undefined)
    throw new TypeError("an optional chain without operands");
  const from = compiler.run(expr.target);
  const otherwise = compiler.run(argument);
  const unwraps = expr.name === "orValue";
  return {
    run: (frame) => {
      const optional = from(frame);
      if (!(optional instanceof CelOptional)) throw new CelError("no such overload");
      if (optional.value === undefined) return otherwise(frame);
      return unwraps ? optional.value : optional;
    },
  };
}
