/**
 * Evaluates expressions one after the other within a common cost budget (apiserver pkg/admission/plugin/cel,
 * condition.go and activation.go): one group of them computes each variable at most once.
 */
import { CelDeadlineError, CelPending } from "../errors.ts";
import type { Activation } from "../frame.ts";
import type { AuthorizationCheck } from "../kubernetes/authorization-check.ts";
import type { CelValue } from "../values.ts";
import { type ActivationScope, LazyVariables, type QuestionValues, RuleActivation } from "./activation.ts";
import type { CompiledExpression, Evaluation, IsLate } from "./expression.ts";

export type GroupResult =
  | { readonly kind: "value"; readonly value: CelValue }
  | { readonly kind: "error"; readonly message: string }
  | { readonly kind: "pending" };

export interface GroupOutcome {
  /** One per expression; undefined where there was none. */
  readonly results: readonly (GroupResult | undefined)[];
  readonly remainingBudget: number;
  /** The budget did not suffice: then no result counts. */
  readonly isOutOfBudget: boolean;
}

/** What the API server says when a budget is spent. */
export const OUT_OF_BUDGET =
  "validation failed due to running out of cost budget, no further validation rules will be run";

export interface NamedExpression {
  readonly name: string;
  readonly expression: CompiledExpression;
}

export interface GroupContext {
  readonly values: QuestionValues;
  readonly scope: ActivationScope;
  readonly variables: readonly NamedExpression[];
  readonly isLate: IsLate | undefined;
  /** Collects the checks whose answer is not known yet. */
  readonly onPending: (check: AuthorizationCheck) => void;
}

export function evaluateGroup(
  expressions: readonly (CompiledExpression | undefined)[],
  context: GroupContext,
  budget: number,
): GroupOutcome {
  if (expressions.length === 0) return { results: [], remainingBudget: budget, isOutOfBudget: false };
  const scope = new VariableScope(context);
  const results: (GroupResult | undefined)[] = [];
  let remaining = budget;
  let isLate = false;
  for (const expression of expressions) {
    if (expression === undefined) {
      results.push(undefined);
      continue;
    }
    // Short expressions never look at the clock themselves.
    isLate ||= context.isLate?.() === true;
    if (isLate) {
      results.push(errorOf(expression, new CelDeadlineError()));
      continue;
    }
    const { result, cost } = evaluateOne(expression, scope, context);
    const variablesCost = scope.takeCost();
    if (variablesCost > remaining || cost > remaining - variablesCost)
      return { results: [], remainingBudget: -1, isOutOfBudget: true };
    remaining -= variablesCost + cost;
    results.push(result);
  }
  return { results, remainingBudget: remaining, isOutOfBudget: false };
}

function evaluateOne(
  expression: CompiledExpression,
  scope: VariableScope,
  context: GroupContext,
): { readonly result: GroupResult; readonly cost: number } {
  try {
    const evaluation = expression.evaluate(scope.activation, context.isLate);
    const { cost } = evaluation;
    if (evaluation.kind === "value") return { result: { kind: "value", value: evaluation.value }, cost };
    return { result: errorOf(expression, evaluation.error), cost };
  } catch (error) {
    if (!(error instanceof CelPending)) throw error;
    // Nothing but the authorizer library throws it.
    context.onPending((error as CelPending<AuthorizationCheck>).attributes);
    return { result: { kind: "pending" }, cost: 0 };
  }
}

function errorOf({ source }: CompiledExpression, { message }: Error): GroupResult {
  return { kind: "error", message: `expression '${source}' resulted in error: ${message}` };
}

/** The variables of one group, and what computing them has cost since it was last asked. */
class VariableScope {
  readonly activation: Activation;
  readonly #values: QuestionValues;
  readonly #variables: readonly NamedExpression[];
  readonly #isLate: IsLate | undefined;
  #cost = 0;

  constructor({ values, scope, variables, isLate }: GroupContext) {
    this.#values = values;
    this.#variables = variables;
    this.#isLate = isLate;
    const lazy = variables.length === 0 ? undefined : new LazyVariables((name) => this.#compute(name));
    this.activation = new RuleActivation(values, scope, lazy);
  }

  takeCost(): number {
    const cost = this.#cost;
    this.#cost = 0;
    return cost;
  }

  /** What it costs counts for every policy, as it does on the server, though it is computed once. */
  #evaluate(expression: CompiledExpression): Evaluation {
    if (!expression.isShared) return expression.evaluate(this.activation, this.#isLate);
    const known = this.#values.shared.get(expression);
    if (known !== undefined) return known;
    const evaluation = expression.evaluate(this.activation, this.#isLate);
    // That one policy ran out of time says nothing about the value.
    if (evaluation.kind === "error" && evaluation.error instanceof CelDeadlineError) return evaluation;
    this.#values.shared.set(expression, evaluation);
    return evaluation;
  }

  #compute(name: string): CelValue | undefined {
    const variable = this.#variables.find((candidate) => candidate.name === name);
    if (variable === undefined) return undefined;
    const evaluation = this.#evaluate(variable.expression);
    this.#cost += evaluation.cost;
    if (evaluation.kind === "error") throw evaluation.error;
    return evaluation.value;
  }
}
