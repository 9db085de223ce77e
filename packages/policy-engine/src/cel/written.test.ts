import { expect, it } from "vitest";
import { parseCel } from "../native/cel-source.ts";
import type { Expr } from "./ast.ts";
import { childrenOf } from "./children.ts";
import { WrittenText } from "./written.ts";

function textsOf(source: string): string[] {
  const written = new WrittenText({ source });
  const texts: string[] = [];
  const visit = (expr: Expr): void => {
    if (expr.kind !== "comprehension") texts.push(written.textOf(expr));
    else texts.push(`macro ${written.textOf(expr)}`);
    for (const child of expr.kind === "comprehension" ? [expr.range] : childrenOf(expr)) visit(child);
  };
  const expr = parseCel(source);
  if (expr === undefined) throw new Error(`does not parse: ${source}`);
  visit(expr);
  return texts;
}

it.each<[string, string[]]>([
  ["(a + b) * c", ["(a + b) * c", "a + b", "a", "b", "c"]],
  ["-1 < -x", ["-1 < -x", "-1", "-x", "x"]],
  ["!(a || b)", ["!(a || b)", "a || b", "a", "b"]],
  ["a.b[c.d].e", ["a.b[c.d].e", "a.b[c.d]", "a.b", "a", "c.d", "c"]],
  ["x in [1, y]", ["x in [1, y]", "x", "[1, y]", "1", "y"]],
  ["f(a).g(b, c)", ["f(a).g(b, c)", "f(a)", "a", "b", "c"]],
  ["a.?b.orValue(1)", ["a.?b.orValue(1)", "a.?b", "a", "b"].concat("1")],
  ["has(a.b.c)", ["has(a.b.c)", "a.b", "a"]],
  ["a.l.all(c, c > 1) && b", ["a.l.all(c, c > 1) && b", "macro a.l.all(c, c > 1)", "a.l", "a", "b"]],
  ["a\n  && // so\n  b", ["a && b", "a", "b"]],
  ["p ? {'k': v} : q", ["p ? {'k': v} : q", "p", "{'k': v}", "'k'", "v", "q"]],
  [".a == 'x'.size()", [".a == 'x'.size()", ".a", "'x'.size()", "'x'"]],
])("finds what each part was written as: %s", (source, texts) => {
  expect(textsOf(source)).toEqual(texts);
});
