import type { ShieldPolicy } from "@shieldx/crds";
import { walk } from "../cel/admission/walk.ts";
import type { CallExpr, Expr, LiteralExpr } from "../cel/ast.ts";
import { OPERATOR } from "../cel/ast.ts";
import { type Token, tokenize } from "../cel/lexer.ts";
import { locate } from "../cel/location.ts";
import { parseCel } from "../native/cel-source.ts";

/** What was done to the policy. */
export type MutationOperator =
  /** A rule is left out. */
  | "drop-rule"
  /** A matchCondition is left out. */
  | "drop-condition"
  /** A rule or condition says the contrary. */
  | "negate"
  /** `<` and `<=`, `>` and `>=`, `==` and `!=`: one in the place of the other. */
  | "comparison"
  /** `&&` and `||`: one in the place of the other. */
  | "logic"
  /** Another number, text or truth value. */
  | "literal";

export const MUTATION_OPERATORS: readonly MutationOperator[] = [
  ...(["drop-rule", "drop-condition", "negate", "comparison", "logic", "literal"] as const),
];

/** A copy of a policy with one mistake in it. */
export interface Mutant {
  readonly operator: MutationOperator;
  /** `spec.validations[0].expression`. */
  readonly path: string;
  /** 1-based, within the expression. */
  readonly line: number;
  readonly column: number;
  readonly before: string;
  /** undefined: it is left out. */
  readonly after: string | undefined;
  readonly policy: ShieldPolicy;
}

/** All mutants of a policy of engine cel, in the order of its fields; none of another engine. */
export function mutantsOf(policy: ShieldPolicy): Mutant[] {
  if (policy.spec.engine !== "cel") return [];
  return expressionsOf(policy).flatMap((field) => [...dropped(field), ...negated(field), ...changed(field)]);
}

interface Field {
  readonly path: string;
  readonly expression: string;
  /** undefined: it is needed by others and cannot be left out. */
  readonly drop?: { readonly operator: "drop-rule" | "drop-condition"; readonly policy: ShieldPolicy };
  /** The policy with another expression there. */
  with(expression: string): ShieldPolicy;
}

function expressionsOf(policy: ShieldPolicy): Field[] {
  const { spec } = policy;
  const { matchConditions = [], variables = [], validations = [] } = spec;
  const changedSpec = (change: Partial<ShieldPolicy["spec"]>): ShieldPolicy => ({
    ...policy,
    spec: { ...spec, ...change },
  });
  const replaced = <T extends object>(items: readonly T[], index: number, expression: string): T[] =>
    items.map((item, at) => (at === index ? { ...item, expression } : item));
  const without = <T>(items: readonly T[], index: number): T[] => items.filter((_, at) => at !== index);
  return [
    ...matchConditions.map(
      ({ expression }, index): Field => ({
        path: `spec.matchConditions[${index}].expression`,
        expression,
        drop: {
          operator: "drop-condition",
          policy: changedSpec({ matchConditions: without(matchConditions, index) }),
        },
        with: (other) => changedSpec({ matchConditions: replaced(matchConditions, index, other) }),
      }),
    ),
    ...variables.map(
      ({ expression }, index): Field => ({
        path: `spec.variables[${index}].expression`,
        expression,
        with: (other) => changedSpec({ variables: replaced(variables, index, other) }),
      }),
    ),
    ...validations.map(
      ({ expression }, index): Field => ({
        path: `spec.validations[${index}].expression`,
        expression,
        // A policy needs a rule: the last one may be left out only by saying nothing.
        drop: {
          operator: "drop-rule",
          policy: changedSpec({ validations: replaced(validations, index, "true") }),
        },
        with: (other) => changedSpec({ validations: replaced(validations, index, other) }),
      }),
    ),
  ];
}

function dropped({ path, expression, drop }: Field): Mutant[] {
  if (drop === undefined) return [];
  return [{ ...drop, path, line: 1, column: 1, before: expression, after: undefined }];
}

function negated(field: Field): Mutant[] {
  if (field.drop === undefined) return [];
  // A comment at its end would take the bracket in.
  return [mutant(field, "negate", 0, `!(${field.expression}\n)`, `!(${field.expression.trim()})`)];
}

/** One mutant for each token that may be another one; a macro that doubles its argument has it twice in the tree. */
function changed(field: Field): Mutant[] {
  const { expression } = field;
  const expr = parseCel(expression);
  if (expr === undefined) return [];
  const tokens = new Map(tokenize(expression).map((token) => [token.at, token]));
  const edits = new Map<number, Edit>();
  walk(expr, (node) => {
    const edit = editOf(node, tokens);
    if (edit !== undefined) edits.set(edit.at, edit);
  });
  return [...edits.values()]
    .sort((a, b) => a.at - b.at)
    .map(({ operator, at, length, text }) =>
      mutant(field, operator, at, expression.slice(0, at) + text + expression.slice(at + length)),
    );
}

function mutant(field: Field, operator: MutationOperator, at: number, after: string, shown = after): Mutant {
  const { path, expression } = field;
  const { line, column } = locate(expression, at);
  return {
    operator,
    path,
    line,
    column: column + 1,
    before: expression,
    after: shown,
    policy: field.with(after),
  };
}

interface Edit {
  readonly operator: MutationOperator;
  readonly at: number;
  readonly length: number;
  readonly text: string;
}

function editOf(node: Expr, tokens: ReadonlyMap<number, Token>): Edit | undefined {
  const token = tokens.get(node.at);
  if (token === undefined) return undefined;
  if (node.kind === "call") return swapped(node, token);
  return node.kind === "literal" ? otherLiteral(node, token, tokens) : undefined;
}

const COMPARISONS: ReadonlyMap<string, string> = new Map([
  [OPERATOR.less, "<="],
  [OPERATOR.lessEquals, "<"],
  [OPERATOR.greater, ">="],
  [OPERATOR.greaterEquals, ">"],
  [OPERATOR.equals, "!="],
  [OPERATOR.notEquals, "=="],
]);
const LOGIC: ReadonlyMap<string, string> = new Map([
  [OPERATOR.and, "||"],
  [OPERATOR.or, "&&"],
]);

/** Only what is written as an operator: macros make such calls, too, and these stand where the macro does. */
function swapped({ name }: CallExpr, { at, text }: Token): Edit | undefined {
  if (text === "(") return undefined;
  const comparison = COMPARISONS.get(name);
  if (comparison !== undefined) return { operator: "comparison", at, length: text.length, text: comparison };
  const logic = LOGIC.get(name);
  return logic === undefined ? undefined : { operator: "logic", at, length: text.length, text: logic };
}

function otherLiteral(
  { value }: LiteralExpr,
  token: Token,
  tokens: ReadonlyMap<number, Token>,
): Edit | undefined {
  const { at, text, kind } = token;
  if (typeof value === "boolean" && text === String(value))
    return { operator: "literal", at, length: text.length, text: String(!value) };
  if (kind === "string") return { operator: "literal", at, length: text.length, text: otherText(text) };
  if (kind === "int")
    return { operator: "literal", at, length: text.length, text: String(BigInt(text) + 1n) };
  if (text !== "-" || typeof value !== "number") return undefined;
  const number = tokens.get(at + 1);
  if (number?.kind !== "int") return undefined;
  return { operator: "literal", at, length: 1 + number.text.length, text: `-${BigInt(number.text) + 1n}` };
}

/** With a character more at its end, before the quotes. */
function otherText(text: string): string {
  const quotes = text.endsWith('"""') || text.endsWith("'''") ? 3 : 1;
  return `${text.slice(0, -quotes)}~${text.slice(-quotes)}`;
}
