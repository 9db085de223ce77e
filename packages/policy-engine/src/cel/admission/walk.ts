import type { Expr } from "../ast.ts";
import { childrenOf } from "../children.ts";

/** Visits an expression and everything below it, the outer before the inner. The parser bounds how deep that goes. */
export function walk(expr: Expr, visit: (expr: Expr) => void): void {
  visit(expr);
  for (const child of childrenOf(expr)) walk(child, visit);
}
