/** Expressions that say nothing, read what may not be there, or match images by half. */
import type { ShieldPolicySpec } from "@shieldx/crds";
import { walk } from "../cel/admission/walk.ts";
import { type CallExpr, type Expr, OPERATOR } from "../cel/ast.ts";
import { WrittenText } from "../cel/written.ts";
import { parseCel } from "../native/cel-source.ts";
import { expressionsOf, type PolicyExpression } from "./expressions.ts";
import { imagePatternProblem, imagePrefixProblem } from "./image-match.ts";
import { fieldFindings, optionalVariableFindings } from "./optional-fields.ts";
import { finding, type LintFinding } from "./rules.ts";

export interface ParsedExpression extends PolicyExpression {
  readonly expr: Expr;
  readonly written: WrittenText;
}

export function celFindings(spec: ShieldPolicySpec): LintFinding[] {
  const parsed = expressionsOf(spec).flatMap((each): ParsedExpression[] => {
    const expr = parseCel(each.text);
    return expr === undefined ? [] : [{ ...each, expr, written: new WrittenText({ source: each.text }) }];
  });
  return [
    ...messageFindings(spec),
    ...parsed.flatMap(constantFinding),
    ...unusedFindings(spec, parsed),
    ...fieldFindings(parsed),
    ...optionalVariableFindings(spec, parsed),
    ...parsed.flatMap(imageFindings),
  ];
}

function messageFindings({ validations = [] }: ShieldPolicySpec): LintFinding[] {
  return validations.flatMap(({ message, messageExpression }, at) =>
    message === undefined && messageExpression === undefined
      ? [finding("message-missing", `spec.validations[${at}]`, "has no message")]
      : [],
  );
}

/** What an expression may look at. */
const roots = new Set([
  "object",
  "oldObject",
  "request",
  "params",
  "namespaceObject",
  "authorizer",
  "variables",
]);

function constantFinding({ path, use, expr, written }: ParsedExpression): LintFinding[] {
  if (use !== "rule" && use !== "condition") return [];
  const value = constantOf(expr, written);
  if (value !== undefined) return [finding("constant-expression", path, `is always ${String(value)}`)];
  let looks = false;
  walk(expr, (node) => {
    looks ||= node.kind === "ident" && roots.has(node.name.replace(/^\./, ""));
  });
  return looks ? [] : [finding("constant-expression", path, "looks at nothing of the request")];
}

/** What it comes to where that can be told from its form. */
function constantOf(expr: Expr, written: WrittenText): boolean | undefined {
  if (expr.kind === "literal") return typeof expr.value === "boolean" ? expr.value : undefined;
  if (expr.kind !== "call") return undefined;
  const [first, second] = expr.args;
  if (first === undefined) return undefined;
  switch (expr.name) {
    case OPERATOR.not: {
      const inner = constantOf(first, written);
      return inner === undefined ? undefined : !inner;
    }
    case OPERATOR.and:
    case OPERATOR.or: {
      const decisive = expr.name === OPERATOR.or;
      const [a, b] = [constantOf(first, written), second && constantOf(second, written)];
      if (a === decisive || b === decisive) return decisive;
      return a !== undefined && b !== undefined ? !decisive : undefined;
    }
    case OPERATOR.equals:
    case OPERATOR.notEquals: {
      const isSame = second !== undefined && written.textOf(first) === written.textOf(second);
      return isSame ? expr.name === OPERATOR.equals : undefined;
    }
    default:
      return undefined;
  }
}

function unusedFindings(spec: ShieldPolicySpec, parsed: readonly ParsedExpression[]): LintFinding[] {
  const used = new Set<string>();
  let isUsedWhole = false;
  let usesParams = false;
  for (const { expr } of parsed)
    walk(expr, (node) => {
      if (node.kind === "ident" && node.name === "params") usesParams = true;
      if (node.kind === "select" && isVariables(node.operand)) used.add(node.field);
      // variables[name], or variables alone: which are read is not told.
      if (node.kind === "call" && [node.target, ...node.args].some((each) => each && isVariables(each)))
        isUsedWhole = true;
    });
  const variables = isUsedWhole ? [] : (spec.variables ?? []);
  const unused = variables.flatMap(({ name }, at) =>
    used.has(name)
      ? []
      : [finding("unused-variable", `spec.variables[${at}]`, `nothing reads variables.${name}`)],
  );
  if (spec.paramKind === undefined || usesParams) return unused;
  return [...unused, finding("unused-params", "spec.paramKind", "no expression reads params")];
}

function isVariables(expr: Expr): boolean {
  return expr.kind === "ident" && expr.name === "variables";
}

function imageFindings({ path, use, expr, written }: ParsedExpression): LintFinding[] {
  if (use === "message" || use === "annotation") return [];
  const findings: LintFinding[] = [];
  walk(expr, (node) => {
    if (node.kind === "call") findings.push(...imageFinding(node, path, written));
  });
  return findings;
}

function imageFinding({ name, target, args }: CallExpr, path: string, written: WrittenText): LintFinding[] {
  const [given] = args;
  if (target === undefined || given?.kind !== "literal" || typeof given.value !== "string") return [];
  const subject = written.textOf(target);
  if (name === "matches") return imagePatternProblem(subject, given.value, path);
  return name === "startsWith" ? imagePrefixProblem(subject, given.value, path) : [];
}
