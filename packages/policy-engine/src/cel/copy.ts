import type { Expr } from "./ast.ts";

/** A deep copy; `count` is told of every node, and may throw to stop. Depth is bounded by the parser. */
export function copyExpr(expr: Expr, count: () => void): Expr {
  count();
  const copy = (child: Expr): Expr => copyExpr(child, count);
  switch (expr.kind) {
    case "literal":
    case "ident":
      return { ...expr };
    case "select":
      return { ...expr, operand: copy(expr.operand) };
    case "call":
      return {
        ...expr,
        target: expr.target === undefined ? undefined : copy(expr.target),
        args: expr.args.map(copy),
      };
    case "list":
      return {
        ...expr,
        elements: expr.elements.map((element) => ({ ...element, value: copy(element.value) })),
      };
    case "map":
      return {
        ...expr,
        entries: expr.entries.map((entry) => ({ ...entry, key: copy(entry.key), value: copy(entry.value) })),
      };
    case "struct":
      return { ...expr, fields: expr.fields.map((field) => ({ ...field, value: copy(field.value) })) };
    case "comprehension":
      return {
        ...expr,
        range: copy(expr.range),
        init: copy(expr.init),
        condition: copy(expr.condition),
        step: copy(expr.step),
        result: copy(expr.result),
      };
  }
}
