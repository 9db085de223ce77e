import { type CallExpr, type ComprehensionExpr, type Expr, OPERATOR } from "./ast.ts";
import { MAP_INSERT } from "./macros.ts";

/** What a fold does, where it has the shape that a macro gave it. */
export type Recognized =
  | { readonly kind: "bind" }
  | { readonly kind: "all" | "exists" | "existsOne"; readonly predicate: Expr }
  | { readonly kind: "list"; readonly filter: Expr | undefined; readonly element: Expr }
  | {
      readonly kind: "map";
      readonly filter: Expr | undefined;
      /** undefined: `value` is a map of entries. */
      readonly key: Expr | undefined;
      readonly value: Expr;
    };

/** undefined: a fold of another shape. */
export function recognize(expr: ComprehensionExpr): Recognized | undefined {
  if (isEmptyList(expr.range) && isLiteral(expr.condition, false)) return { kind: "bind" };
  const predicate = quantified(expr);
  if (predicate !== undefined) return predicate;
  if (!isLiteral(expr.condition, true)) return undefined;
  const { filter, step } = filtered(expr);
  if (isLiteral(expr.init, 0)) {
    return filter !== undefined && isCount(step, expr) ? { kind: "existsOne", predicate: filter } : undefined;
  }
  if (!isAccumulator(expr.result, expr)) return undefined;
  if (isEmptyList(expr.init)) {
    const element = appended(step, expr);
    return element === undefined ? undefined : { kind: "list", filter, element };
  }
  return expr.init.kind === "map" && expr.init.entries.length === 0
    ? inserted(step, filter, expr)
    : undefined;
}

function quantified(expr: ComprehensionExpr): Recognized | undefined {
  if (expr.condition.kind !== "call" || expr.condition.name !== OPERATOR.notStrictlyFalse) return undefined;
  const isAll = isLiteral(expr.init, true);
  if (!isAll && !isLiteral(expr.init, false)) return undefined;
  const predicate = afterAccumulator(expr.step, isAll ? OPERATOR.and : OPERATOR.or, expr);
  if (predicate === undefined || !isAccumulator(expr.result, expr)) return undefined;
  return { kind: isAll ? "all" : "exists", predicate };
}

/** Splits `filter ? step : accumulator`. */
function filtered(expr: ComprehensionExpr): { filter: Expr | undefined; step: Expr } {
  const { step } = expr;
  if (step.kind === "call" && step.name === OPERATOR.conditional) {
    const [filter, added, kept] = step.args;
    if (filter !== undefined && added !== undefined && kept !== undefined && isAccumulator(kept, expr)) {
      return { filter, step: added };
    }
  }
  return { filter: undefined, step };
}

function isCount(step: Expr, expr: ComprehensionExpr): boolean {
  const one = afterAccumulator(step, OPERATOR.add, expr);
  const expected = afterAccumulator(expr.result, OPERATOR.equals, expr);
  return one !== undefined && expected !== undefined && isLiteral(one, 1) && isLiteral(expected, 1);
}

function appended(step: Expr, expr: ComprehensionExpr): Expr | undefined {
  const added = afterAccumulator(step, OPERATOR.add, expr);
  if (added?.kind !== "list" || added.elements.length !== 1) return undefined;
  const [element] = added.elements;
  return element === undefined || element.isOptional ? undefined : element.value;
}

function inserted(step: Expr, filter: Expr | undefined, expr: ComprehensionExpr): Recognized | undefined {
  if (step.kind !== "call" || step.name !== MAP_INSERT) return undefined;
  const [accumulator, first, second] = step.args;
  if (accumulator === undefined || first === undefined || !isAccumulator(accumulator, expr)) return undefined;
  return second === undefined
    ? { kind: "map", filter, key: undefined, value: first }
    : { kind: "map", filter, key: first, value: second };
}

/** `x` in `accumulator <operator> x`. */
function afterAccumulator(step: Expr, operator: CallExpr["name"], expr: ComprehensionExpr): Expr | undefined {
  if (step.kind !== "call" || step.name !== operator) return undefined;
  const [left, right] = step.args;
  return left !== undefined && isAccumulator(left, expr) ? right : undefined;
}

const isAccumulator = (part: Expr, expr: ComprehensionExpr): boolean =>
  part.kind === "ident" && part.name === expr.accuVar;
const isLiteral = (part: Expr, value: boolean | number): boolean =>
  part.kind === "literal" && part.value === value;
const isEmptyList = (part: Expr): boolean => part.kind === "list" && part.elements.length === 0;
