import type { Expr } from "./ast.ts";

/** `a.b.c` for a chain of plain selections from a name: perhaps the dotted name of a variable, type or function. */
export function spelledName(expr: Expr): string | undefined {
  const fields: string[] = [];
  let root = expr;
  while (root.kind === "select" && !root.isTest) {
    fields.push(root.field);
    root = root.operand;
  }
  return root.kind === "ident" ? [root.name, ...fields.reverse()].join(".") : undefined;
}
