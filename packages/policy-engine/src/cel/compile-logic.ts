import { type CallExpr, OPERATOR } from "./ast.ts";
import type { Compiler } from "./compiler.ts";
import { CelError } from "./errors.ts";
import type { Eval, Node } from "./frame.ts";
import { writeConditional, writeLogic } from "./generate/write-logic.ts";
import { noOverload, rescue } from "./rescue.ts";
import type { CelValue } from "./values.ts";

/** `&&`, `||`, `?:` and the test that ends loops: operators that do not evaluate, or outlive, all their operands. */
export function compileLogic(compiler: Compiler, expr: CallExpr): Node | undefined {
  const [first, second, third] = expr.args;
  if (first === undefined || expr.target !== undefined) return undefined;
  switch (expr.name) {
    case OPERATOR.and:
    case OPERATOR.or:
      if (second === undefined) return undefined;
      return logic(compiler.compile(first), compiler.compile(second), expr.name === OPERATOR.or);
    case OPERATOR.conditional:
      if (second === undefined || third === undefined) return undefined;
      return conditional(compiler.compile(first), compiler.compile(second, 0), compiler.compile(third, 0));
    case OPERATOR.notStrictlyFalse:
      return { run: notStrictlyFalse(compiler.run(first)) };
    default:
      return undefined;
  }
}

/** `decisive` is the value of either side that settles the result: false for `&&`, true for `||`. */
function logic(left: Node, right: Node, decisive: boolean): Node {
  return { run: runLogic(left.run, right.run, decisive), write: writeLogic(left, right, decisive) };
}

function runLogic(left: Eval, right: Eval, decisive: boolean): Eval {
  return (frame) => {
    let value: CelValue;
    try {
      value = left(frame);
    } catch (error) {
      return rescue(right, frame, decisive, error);
    }
    if (value === decisive) return value;
    if (typeof value !== "boolean") return rescue(right, frame, decisive, noOverload());
    const other = right(frame);
    if (typeof other !== "boolean") throw noOverload();
    return other;
  };
}

function conditional(condition: Node, whenTrue: Node, whenFalse: Node): Node {
  return {
    run: runConditional(condition.run, whenTrue.run, whenFalse.run),
    write: writeConditional(condition, whenTrue, whenFalse),
  };
}

function runConditional(condition: Eval, whenTrue: Eval, whenFalse: Eval): Eval {
  return (frame) => {
    const value = condition(frame);
    if (value === true) return whenTrue(frame);
    if (value === false) return whenFalse(frame);
    throw noOverload();
  };
}

function notStrictlyFalse(operand: Eval): Eval {
  return (frame) => {
    frame.cost += 1;
    try {
      return operand(frame) !== false;
    } catch (error) {
      if (error instanceof CelError) return true;
      throw error;
    }
  };
}
