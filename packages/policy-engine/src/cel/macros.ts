import { ACCUMULATOR, type Expr, type ExprFactory, OPERATOR } from "./ast.ts";
import type { CelMacro } from "./macro.ts";

// The macros of the CEL specification ("Macros") and of cel-go: ext/comprehensions.go, ext/bindings.go and the
// optional ones of cel/library.go. What each expands to decides its cost, so the expansions are the same.

/** The variable of a comprehension that iterates over nothing and only binds a name. */
const UNUSED = "#unused";
export const MAP_INSERT = "cel.@mapInsert";

interface Loop {
  readonly init: Expr;
  readonly condition: Expr;
  readonly step: Expr;
  readonly result: Expr;
}
type LoopBuilder = (make: ExprFactory, args: readonly Expr[], iterVar: string) => Loop;

const all: LoopBuilder = (make, args) => ({
  init: make.literal(true),
  condition: make.call(OPERATOR.notStrictlyFalse, make.accumulator()),
  step: make.call(OPERATOR.and, make.accumulator(), at(args, 0)),
  result: make.accumulator(),
});

const exists: LoopBuilder = (make, args) => ({
  init: make.literal(false),
  condition: make.call(OPERATOR.notStrictlyFalse, make.call(OPERATOR.not, make.accumulator())),
  step: make.call(OPERATOR.or, make.accumulator(), at(args, 0)),
  result: make.accumulator(),
});

const existsOne: LoopBuilder = (make, args) => ({
  init: make.literal(0),
  condition: make.literal(true),
  step: when(make, at(args, 0), make.call(OPERATOR.add, make.accumulator(), make.literal(1))),
  result: make.call(OPERATOR.equals, make.accumulator(), make.literal(1)),
});

/** `map` and `transformList`: [filter,] transform. */
const toList: LoopBuilder = (make, args) =>
  gather(make, make.list(), args, (transform) =>
    make.call(OPERATOR.add, make.accumulator(), make.list(transform)),
  );

const filter: LoopBuilder = (make, args, iterVar) => ({
  init: make.list(),
  condition: make.literal(true),
  step: when(make, at(args, 0), make.call(OPERATOR.add, make.accumulator(), make.list(make.ident(iterVar)))),
  result: make.accumulator(),
});

/** `transformMap`: [filter,] value; the key stays. */
const toMap: LoopBuilder = (make, args, iterVar) =>
  gather(make, make.emptyMap(), args, (value) =>
    make.call(MAP_INSERT, make.accumulator(), make.ident(iterVar), value),
  );

/** `transformMapEntry`: [filter,] map of the new entry. */
const toEntries: LoopBuilder = (make, args) =>
  gather(make, make.emptyMap(), args, (entry) => make.call(MAP_INSERT, make.accumulator(), entry));

function gather(make: ExprFactory, init: Expr, args: readonly Expr[], add: (item: Expr) => Expr): Loop {
  const step = add(at(args, args.length - 1));
  return {
    init,
    condition: make.literal(true),
    step: args.length === 2 ? when(make, at(args, 0), step) : step,
    result: make.accumulator(),
  };
}

function when(make: ExprFactory, condition: Expr, step: Expr): Expr {
  return make.call(OPERATOR.conditional, condition, step, make.accumulator());
}

const has: CelMacro = {
  name: "has",
  argCount: 1,
  isMember: false,
  expand: (make, _target, args) => {
    const arg = at(args, 0);
    if (arg.kind !== "select" || arg.isTest) return make.fail(arg, "invalid argument to has() macro");
    return make.presenceTest(arg.operand, arg.field);
  },
};

function oneVariable(name: string, argCount: number, loop: LoopBuilder, notName: string): CelMacro {
  return {
    name,
    argCount,
    isMember: true,
    expand: (make, target, args) => {
      if (target === undefined) return undefined;
      const iterVar = variable(make, at(args, 0), notName);
      return make.comprehension({ range: target, iterVar, ...loop(make, args.slice(1), iterVar) });
    },
  };
}

function twoVariables(name: string, argCount: number, loop: LoopBuilder): CelMacro {
  return {
    name,
    argCount,
    isMember: true,
    expand: (make, target, args) => {
      if (target === undefined) return undefined;
      const iterVar = variable(make, at(args, 0), NOT_NAME);
      const iterVar2 = variable(make, at(args, 1), NOT_NAME);
      if (iterVar === iterVar2) return make.fail(at(args, 1), `duplicate variable name: ${iterVar}`);
      return make.comprehension({ range: target, iterVar, iterVar2, ...loop(make, args.slice(2), iterVar) });
    },
  };
}

const NOT_NAME = "argument must be a simple name";
const NOT_IDENT = "argument is not an identifier";

function variable(make: ExprFactory, arg: Expr, message: string): string {
  if (arg.kind !== "ident" || arg.name.startsWith(".")) return make.fail(arg, message);
  if (arg.name === ACCUMULATOR || arg.name === "__result__") {
    return make.fail(arg, "iteration variable overwrites accumulator variable");
  }
  return arg.name;
}

function at(args: readonly Expr[], index: number): Expr {
  const arg = args[index];
  if (arg === undefined) throw new TypeError("a macro was expanded with too few arguments");
  return arg;
}

/** The macros that every environment has. */
export const STANDARD_MACROS: readonly CelMacro[] = [
  has,
  oneVariable("all", 2, all, NOT_NAME),
  oneVariable("exists", 2, exists, NOT_NAME),
  oneVariable("exists_one", 2, existsOne, NOT_NAME),
  oneVariable("existsOne", 2, existsOne, NOT_NAME),
  oneVariable("map", 2, toList, NOT_IDENT),
  oneVariable("map", 3, toList, NOT_IDENT),
  oneVariable("filter", 2, filter, NOT_IDENT),
];

export const TWO_VARIABLE_MACROS: readonly CelMacro[] = [
  twoVariables("all", 3, all),
  twoVariables("exists", 3, exists),
  twoVariables("exists_one", 3, existsOne),
  twoVariables("existsOne", 3, existsOne),
  ...[3, 4].flatMap((argCount) => [
    twoVariables("transformList", argCount, toList),
    twoVariables("transformMap", argCount, toMap),
    twoVariables("transformMapEntry", argCount, toEntries),
  ]),
];

/** `result` with `name` standing for `init`, which is evaluated when first used. */
function bind(make: ExprFactory, name: string, init: Expr, result: Expr): Expr {
  return make.comprehension({
    range: make.list(),
    iterVar: UNUSED,
    accuVar: name,
    init,
    condition: make.literal(false),
    step: make.ident(name),
    result,
  });
}

export const BIND_MACRO: CelMacro = {
  name: "bind",
  argCount: 3,
  isMember: true,
  expand: (make, target, args) => {
    if (target?.kind !== "ident" || target.name !== "cel") return undefined;
    const name = at(args, 0);
    if (name.kind !== "ident") return make.fail(name, "cel.bind() variable names must be simple identifiers");
    return bind(make, name.name, at(args, 1), at(args, 2));
  },
};

function optionalMap(name: string, wrap: (make: ExprFactory, result: Expr) => Expr): CelMacro {
  return {
    name,
    argCount: 2,
    isMember: true,
    expand: (make, target, args) => {
      if (target === undefined) return undefined;
      const ident = at(args, 0);
      if (ident.kind !== "ident")
        return make.fail(ident, `${name}() variable name must be a simple identifier`);
      const value = make.memberCall("value", make.copy(target));
      return make.call(
        OPERATOR.conditional,
        make.memberCall("hasValue", target),
        wrap(make, bind(make, ident.name, value, at(args, 1))),
        make.call("optional.none"),
      );
    },
  };
}

export const OPTIONAL_MACROS: readonly CelMacro[] = [
  optionalMap("optMap", (make, result) => make.call("optional.of", result)),
  optionalMap("optFlatMap", (_make, result) => result),
];
