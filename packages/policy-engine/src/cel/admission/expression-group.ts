/**
 * Evaluates expressions one after the other within a common cost budget (apiserver pkg/admission/plugin/cel,
 * condition.go and activation.go): one group of them computes each variable at most once.
 */
import { CelDeadlineError, CelError, CelPending } from "../errors.ts";
import type { Frame } from "../frame.ts";
import type { AuthorizationCheck } from "../kubernetes/authorization-check.ts";
import type { CelValue } from "../values.ts";
import { type ActivationScope, LazyVariables, type QuestionValues, RuleActivation } from "./activation.ts";
import { type CompiledExpression, type Evaluation, expressionFrame, type IsLate } from "./expression.ts";

export type GroupResult =
  | { readonly kind: "value"; readonly value: CelValue }
  | { readonly kind: "error"; readonly message: string }
  | { readonly kind: "pending" };

export interface GroupOutcome {
  /** One per expression; undefined where there was none. */
  readonly results: readonly (GroupResult | undefined)[];
  /** All are values, and true. */
  readonly isKept: boolean;
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
  /** Told what a group has cost, in cel-go's units; more than the budget where that did not suffice. */
  readonly onCost?: OnCost | undefined;
}

export type OnCost = (units: number) => void;

export function evaluateGroup(
  expressions: readonly (CompiledExpression | undefined)[],
  context: GroupContext,
  budget: number,
): GroupOutcome {
  return evaluateIn(new GroupActivation(context.values, context), expressions, context, budget);
}

/** The same with what the expressions see at hand. */
export function evaluateIn(
  scope: GroupActivation,
  expressions: readonly (CompiledExpression | undefined)[],
  context: GroupContext,
  budget: number,
): GroupOutcome {
  const { isLate: isTimeOver } = context;
  // None is made as long as all rules are kept.
  let results: (GroupResult | undefined)[] | undefined;
  let isLate = false;
  for (let at = 0; at < expressions.length; at++) {
    const expression = expressions[at];
    // Short expressions never look at the clock themselves.
    isLate ||= expression !== undefined && isTimeOver?.() === true;
    const result = isLate
      ? expression && errorOf(expression, new CelDeadlineError())
      : expression && evaluateOne(expression, scope, context);
    if (!isLate && scope.cost > budget) {
      context.onCost?.(scope.cost);
      return { results: [], isKept: false, remainingBudget: -1, isOutOfBudget: true };
    }
    if (result === kept && results === undefined) continue;
    results ??= Array.from({ length: at }, () => kept);
    results.push(result);
  }
  context.onCost?.(scope.cost);
  const isKept = results === undefined;
  results ??= allKept(expressions.length);
  return { results, isKept, remainingBudget: budget - scope.cost, isOutOfBudget: false };
}

/** What nearly all rules come to. */
const kept: GroupResult = Object.freeze({ kind: "value", value: true });
const keptOnce: GroupResult[] = [kept];

function allKept(count: number): GroupResult[] {
  return count === 1 ? keptOnce : Array.from({ length: count }, () => kept);
}

function evaluateOne(
  expression: CompiledExpression,
  scope: GroupActivation,
  context: GroupContext,
): GroupResult {
  try {
    const { frame } = scope;
    const value = expression.valueIn(frame, context.isLate);
    scope.cost += frame.cost;
    if (value === true) return kept;
    if (value !== undefined) return { kind: "value", value };
    return errorOf(expression, frame.failure ?? new CelError("no value"));
  } catch (error) {
    if (!(error instanceof CelPending)) throw error;
    // Nothing but the authorizer library throws it.
    context.onPending((error as CelPending<AuthorizationCheck>).attributes);
    return { kind: "pending" };
  }
}

function errorOf({ source }: CompiledExpression, { message }: Error): GroupResult {
  return { kind: "error", message: `expression '${source}' resulted in error: ${message}` };
}

/** What the expressions of one group see, the policy's variables among it, and what they have cost together. */
export class GroupActivation extends RuleActivation {
  cost = 0;
  /** For one expression after the other; variables have their own. */
  readonly frame: Frame = expressionFrame(this);
  readonly #shared: Map<CompiledExpression, Evaluation>;
  readonly #lazy: LazyVariables;
  #expressions: readonly NamedExpression[];
  #isLate: IsLate | undefined;

  constructor(
    values: QuestionValues,
    { scope, variables, isLate }: Omit<GroupContext, "values" | "onPending">,
  ) {
    super(values, scope);
    this.#shared = values.shared;
    this.#expressions = variables;
    this.#isLate = isLate;
    this.#lazy = new LazyVariables((name) => this.#compute(name));
  }

  /** Begins another group that sees the same, but for the variables: nothing is left of the one before. */
  restart(variables: readonly NamedExpression[], isLate: IsLate | undefined): void {
    this.cost = 0;
    this.#expressions = variables;
    this.#isLate = isLate;
    this.#lazy.forget();
  }

  protected override get variables(): CelValue | undefined {
    return this.#expressions.length === 0 ? undefined : this.#lazy;
  }

  /** What it costs counts for every policy, as it does on the server, though it is computed once. */
  #evaluate(expression: CompiledExpression): Evaluation {
    if (!expression.isShared) return expression.evaluate(this, this.#isLate);
    const known = this.#shared.get(expression);
    if (known !== undefined) return known;
    const evaluation = expression.evaluate(this, this.#isLate);
    // That one policy ran out of time says nothing about the value.
    if (evaluation.kind === "error" && evaluation.error instanceof CelDeadlineError) return evaluation;
    this.#shared.set(expression, evaluation);
    return evaluation;
  }

  #compute(name: string): CelValue | undefined {
    const variable = findNamed(this.#expressions, name);
    if (variable === undefined) return undefined;
    const evaluation = this.#evaluate(variable.expression);
    this.cost += evaluation.cost;
    if (evaluation.kind === "error") throw evaluation.error;
    return evaluation.value;
  }
}

/** `find` without a closure: it is called once a policy and request. */
function findNamed(expressions: readonly NamedExpression[], name: string): NamedExpression | undefined {
  for (const expression of expressions) if (expression.name === name) return expression;
  return undefined;
}
