/**
 * Mistakes in literals that the API server finds when a policy is written, though the types fit: durations, timestamps
 * and patterns that cannot be read (cel-go cel/validator.go), lists and maps of mixed types, and formats that do not fit
 * their arguments. All are told at once.
 */
import type { CallExpr, Expr } from "../ast.ts";
import type { CheckedAst } from "../checked.ts";
import { CelCompileError, CelError, type CelIssue } from "../errors.ts";
import { bindings } from "../frame.ts";
import { reportMixedLiterals } from "../homogeneous-literals.ts";
import type { CelEnvironment } from "../index.ts";
import { locate } from "../location.ts";
import { compile } from "../program.ts";
import { DYN } from "../types.ts";
import { formatIssues } from "./format-checks.ts";
import { walk } from "./walk.ts";

/** @throws CelCompileError */
export function checkLiterals(ast: CheckedAst, environment: CelEnvironment): void {
  const issues: CelIssue[] = [];
  const report = (at: Expr, message: string): void => {
    issues.push({ ...locate(ast.source, at.at), message });
  };
  walk(ast.expr, (expr) => {
    if (expr.kind !== "call") return;
    const [first] = expr.args;
    if (
      first?.kind === "literal" &&
      triedFunctions.has(expr.name) &&
      !isReadable(expr, first, ast, environment)
    )
      report(first, `invalid ${expr.name} argument`);
    formatIssues(expr, ast, report);
  });
  const typeOf = (expr: Expr) => ast.types.get(expr) ?? DYN;
  reportMixedLiterals(ast.expr, typeOf, (at, message) => issues.push({ ...locate(ast.source, at), message }));
  if (issues.length > 0) throw new CelCompileError(issues.sort(byPlace), ast.source);
}

const triedFunctions: ReadonlySet<string> = new Set(["duration", "timestamp", "matches"]);

function byPlace(a: CelIssue, b: CelIssue): number {
  return a.line - b.line || a.column - b.column;
}

/** Tries the literal by calling the function with it; `matches` is tried as a pattern. */
function isReadable(call: CallExpr, literal: Expr, ast: CheckedAst, environment: CelEnvironment): boolean {
  const text: Expr = { kind: "literal", at: literal.at, value: "" };
  const tried: Expr = call.name === "matches" ? { ...call, target: text, args: [literal] } : call;
  try {
    compile({ source: ast.source, expr: tried }, environment).evaluate(bindings({}));
    return true;
  } catch (error) {
    if (error instanceof CelError) return false;
    throw error;
  }
}
