/**
 * Evaluates the rules of a policy for one request, as apiserver pkg/admission/plugin/policy/validating does: which
 * errors count, what is said, and what a spent budget means follow its validator.go and dispatcher.go.
 */

import { CelDeadlineError } from "../errors.ts";
import type { AuthorizationCheck, AuthorizationLookup } from "../kubernetes/authorization-check.ts";
import type { CelValue } from "../values.ts";
import { type ActivationScope, type QuestionValues, valuesOf } from "./activation.ts";
import type { CompiledExpression, IsLate } from "./expression.ts";
import {
  evaluateGroup,
  evaluateIn,
  GroupActivation,
  type GroupContext,
  type GroupOutcome,
  type NamedExpression,
  type OnCost,
  OUT_OF_BUDGET,
} from "./expression-group.ts";
import { MAX_AUDIT_ANNOTATION_BYTES, PER_CALL_COST_LIMIT, RULES_COST_BUDGET } from "./limits.ts";
import { conditionsSee, heldConditions } from "./match-conditions.ts";
import { failureMessage, trimGoSpace } from "./message.ts";
import type { CelFailure, CelIgnoredError, CelOutcome } from "./outcome.ts";
import { paramsOf, type TakesParams } from "./params.ts";
import type { CelParams, CelQuestion } from "./question.ts";
import type { AdmissionReason } from "./reasons.ts";
import type { ValidationSpec } from "./spec.ts";

export interface CompiledValidation {
  readonly spec: ValidationSpec;
  readonly reason: AdmissionReason;
  readonly expression: CompiledExpression;
  readonly messageExpression: CompiledExpression | undefined;
}

export interface CompiledAuditAnnotation {
  readonly key: string;
  readonly expression: CompiledExpression;
}

export interface CompiledParts extends TakesParams {
  readonly failurePolicy: "Fail" | "Ignore";
  readonly matchConditions: readonly CompiledExpression[];
  readonly variables: readonly NamedExpression[];
  readonly validations: readonly CompiledValidation[];
  /** Of each validation, in order. */
  readonly validationExpressions: readonly CompiledExpression[];
  readonly messageExpressions: readonly (CompiledExpression | undefined)[];
  /** How many of them there are. */
  readonly messageCount: number;
  readonly auditAnnotations: readonly CompiledAuditAnnotation[];
}

export interface EvaluateOptions {
  /** Answers what expressions ask of `authorizer`; without it, an expression that asks is in error. */
  readonly authorize?: AuthorizationLookup;
  readonly isLate?: IsLate;
  /** Looked at only by a policy with a paramKind, which is evaluated with each of them; default none. */
  readonly params?: CelParams | undefined;
  /** In cel-go's units, for the validations with one parameter object; default what the API server allows. */
  readonly costBudget?: number;
  /** Told what each group of expressions has cost: matchConditions, validations, messages, annotations. */
  readonly onCost?: OnCost | undefined;
}

export function evaluateParts(
  parts: CompiledParts,
  question: CelQuestion,
  options: EvaluateOptions,
): CelOutcome {
  const values = valuesOf(question, options.authorize);
  if (isPlain(parts)) return evaluatePlain(parts, values, options);
  const collector = new Collector(parts.failurePolicy);
  const params = paramsOf(parts, options.params);
  if (typeof params === "string") {
    collector.fail("configuration", undefined, params);
    return collector.outcome();
  }
  for (const [at, param] of params.entries()) {
    collector.param = parts.hasParamRef && parts.hasParamKind ? at : undefined;
    // That time is over is said once, however many there are.
    if (at > 0 && options.isLate?.() === true) {
      collector.fail("error", undefined, new CelDeadlineError().message);
      break;
    }
    new ParamEvaluation(parts, values, param, options, collector).run();
  }
  return collector.outcome();
}

/** Nothing but validations: they alone decide. */
export function isPlain({ hasParamKind, matchConditions, auditAnnotations }: CompiledParts): boolean {
  return !hasParamKind && matchConditions.length === 0 && auditAnnotations.length === 0;
}

/** As below, without making anything as long as the rules are kept, as they nearly always are. */
function evaluatePlain(parts: CompiledParts, values: QuestionValues, options: EvaluateOptions): CelOutcome {
  const shared = sharedOf(values);
  const { activation, pending } = shared;
  shared.isLate = options.isLate;
  shared.onCost = options.onCost;
  pending.length = 0;
  activation.restart(parts.variables, options.isLate);
  const budget = options.costBudget ?? RULES_COST_BUDGET;
  const group = evaluateIn(activation, parts.validationExpressions, shared, budget);
  if (isSilent(parts, group)) return kept;
  const collector = new Collector(parts.failurePolicy);
  for (const check of pending) collector.pend(check);
  new ParamEvaluation(parts, values, null, options, collector).conclude(group);
  return collector.outcome();
}

/** What one request has for all policies without parameters, one after the other. */
class SharedContext implements GroupContext {
  readonly values: QuestionValues;
  readonly scope: ActivationScope = rulesSee;
  readonly variables = [];
  readonly pending: AuthorizationCheck[] = [];
  readonly activation: GroupActivation;
  isLate: IsLate | undefined;
  onCost: OnCost | undefined;

  constructor(values: QuestionValues) {
    this.values = values;
    this.activation = new GroupActivation(values, this);
  }

  readonly onPending = (check: AuthorizationCheck): void => {
    this.pending.push(check);
  };
}

const sharedContexts = new WeakMap<QuestionValues, SharedContext>();

function sharedOf(values: QuestionValues): SharedContext {
  const known = sharedContexts.get(values);
  if (known !== undefined) return known;
  const made = new SharedContext(values);
  sharedContexts.set(values, made);
  return made;
}

/**
 * Nothing is to be said: every rule is kept, and messageExpressions cannot spend the budget. The server evaluates
 * those whether a rule is broken or not, and their cost can spend it even then.
 */
function isSilent({ variables, messageCount }: CompiledParts, group: GroupOutcome): boolean {
  if (group.isOutOfBudget || !group.isKept) return false;
  return (
    messageCount === 0 || (messageCount + variables.length) * 2 * PER_CALL_COST_LIMIT <= group.remainingBudget
  );
}

/** Gathers what comes of all parameter objects. */
class Collector {
  readonly #failurePolicy: "Fail" | "Ignore";
  #failures: CelFailure[] | undefined;
  #ignored: CelIgnoredError[] | undefined;
  #annotations: Map<string, string[]> | undefined;
  #pending: AuthorizationCheck[] | undefined;
  isMatch = false;
  param: number | undefined;

  constructor(failurePolicy: "Fail" | "Ignore") {
    this.#failurePolicy = failurePolicy;
  }

  /** An error: a failure, or passed over, as failurePolicy says. */
  fail(
    kind: "error" | "configuration" | "auditAnnotation",
    index: number | undefined,
    message: string,
  ): void {
    if (this.#failurePolicy === "Fail")
      this.#add({ kind, index, message, reason: "Invalid", param: this.param });
    else {
      this.#ignored ??= [];
      this.#ignored.push({ index, message });
    }
  }

  deny(index: number, message: string, reason: AdmissionReason): void {
    this.#add({ kind: "denied", index, message, reason, param: this.param });
  }

  #add(failure: CelFailure): void {
    this.#failures ??= [];
    this.#failures.push(failure);
  }

  annotate(key: string, value: string): void {
    this.#annotations ??= new Map();
    const values = this.#annotations.get(key) ?? [];
    if (!values.includes(value)) values.push(value);
    this.#annotations.set(key, values);
  }

  pend(check: AuthorizationCheck): void {
    this.#pending ??= [];
    this.#pending.push(check);
  }

  outcome(): CelOutcome {
    const { isMatch } = this;
    const [failures, ignored, annotations] = [this.#failures, this.#ignored, this.#annotations];
    if (this.#pending !== undefined) return { ...(isMatch ? kept : noMatch), pending: this.#pending };
    if (failures === undefined && ignored === undefined && annotations === undefined)
      return isMatch ? kept : noMatch;
    return {
      isMatch: isMatch || failures !== undefined,
      failures: failures ?? [],
      ignoredErrors: ignored ?? [],
      auditAnnotations: annotations ?? new Map(),
      pending: [],
    };
  }
}

/** What nearly all requests come to. */
const kept: CelOutcome = Object.freeze({
  isMatch: true,
  failures: Object.freeze([]),
  ignoredErrors: Object.freeze([]),
  auditAnnotations: new Map(),
  pending: Object.freeze([]),
});
const noMatch: CelOutcome = Object.freeze({ ...kept, isMatch: false });

export const rulesSee: ActivationScope = { hasNamespace: true, hasAuthorizer: true, params: undefined };
const messagesSee = { hasNamespace: true, hasAuthorizer: false } as const;
const nothingAnnotated: GroupOutcome = Object.freeze({
  results: Object.freeze([]),
  isKept: true,
  remainingBudget: RULES_COST_BUDGET,
  isOutOfBudget: false,
});

/** The rules with one parameter object. */
class ParamEvaluation {
  readonly #parts: CompiledParts;
  readonly #collector: Collector;
  readonly #options: EvaluateOptions;
  readonly #budget: number;
  readonly #values: QuestionValues;
  readonly #param: CelValue;

  constructor(
    parts: CompiledParts,
    values: QuestionValues,
    param: CelValue,
    options: EvaluateOptions,
    collector: Collector,
  ) {
    this.#parts = parts;
    this.#values = values;
    this.#param = param;
    this.#options = options;
    this.#collector = collector;
    this.#budget = options.costBudget ?? RULES_COST_BUDGET;
  }

  run(): void {
    if (!this.#matches()) return;
    this.#collector.isMatch = true;
    // An error over all annotations replaces what the validations came to.
    const annotations = this.#annotate();
    if (annotations === "outOfBudget") this.#collector.fail("error", undefined, OUT_OF_BUDGET);
    else this.#validate();
    if (annotations !== "outOfBudget") this.#keepAnnotations(annotations);
  }

  /** What there is to say of rules that were evaluated. */
  conclude(group: GroupOutcome): void {
    this.#collector.isMatch = true;
    this.#conclude(group);
  }

  #matches(): boolean {
    const { matchConditions } = this.#parts;
    if (matchConditions.length === 0) return true;
    const conditions = heldConditions(matchConditions, this.#context(conditionsSee));
    switch (conditions.kind) {
      case "no":
        return false;
      case "yes":
        return true;
      case "open":
        for (const check of conditions.pending) this.#collector.pend(check);
        if (conditions.error !== undefined) this.#collector.fail("error", undefined, conditions.error);
        return false;
      default:
        return conditions satisfies never;
    }
  }

  #validate(): void {
    const { validationExpressions } = this.#parts;
    const context = this.#context(rulesSee);
    this.#conclude(evaluateGroup(validationExpressions, context, this.#budget));
  }

  #conclude(group: GroupOutcome): void {
    const { validations } = this.#parts;
    if (group.isOutOfBudget) {
      this.#collector.fail("error", undefined, OUT_OF_BUDGET);
      return;
    }
    if (isSilent(this.#parts, group)) return;
    const messages = this.#messages(group);
    validations.forEach((validation, index) => {
      const result = group.results[index];
      if (result === undefined || result.kind === "pending") return;
      if (result.kind === "error") this.#collector.fail("error", index, result.message);
      else if (messages === "outOfBudget")
        this.#collector.fail("error", index, `failed messageExpression: ${OUT_OF_BUDGET}`);
      else if (result.value !== true)
        this.#collector.deny(index, failureMessage(validation.spec, messages[index]), validation.reason);
    });
  }

  /** Results of the messageExpressions. */
  #messages(group: GroupOutcome): readonly unknown[] | "outOfBudget" {
    const { messageExpressions, messageCount } = this.#parts;
    if (messageCount === 0) return [];
    const messages = evaluateGroup(messageExpressions, this.#context(messagesSee), group.remainingBudget);
    if (messages.isOutOfBudget) return "outOfBudget";
    return messages.results.map((result) => (result?.kind === "value" ? result.value : undefined));
  }

  #annotate(): GroupOutcome | "outOfBudget" {
    const { auditAnnotations } = this.#parts;
    if (auditAnnotations.length === 0) return nothingAnnotated;
    const group = evaluateGroup(
      auditAnnotations.map(({ expression }) => expression),
      this.#context(messagesSee),
      this.#budget,
    );
    return group.isOutOfBudget ? "outOfBudget" : group;
  }

  #keepAnnotations({ results }: GroupOutcome): void {
    if (results.length === 0) return;
    this.#parts.auditAnnotations.forEach(({ key }, index) => {
      const result = results[index];
      if (result?.kind === "error") this.#collector.fail("auditAnnotation", index, result.message);
      if (result?.kind !== "value" || typeof result.value !== "string") return;
      const value = trimGoSpace(result.value);
      if (value !== "") this.#collector.annotate(key, cutToBytes(value, MAX_AUDIT_ANNOTATION_BYTES));
    });
  }

  #context(sees: Pick<ActivationScope, "hasNamespace" | "hasAuthorizer">): GroupContext {
    const params = this.#parts.hasParamKind ? this.#param : undefined;
    return {
      values: this.#values,
      scope: { hasNamespace: sees.hasNamespace, hasAuthorizer: sees.hasAuthorizer, params },
      variables: this.#parts.variables,
      isLate: this.#options.isLate,
      onPending: (check) => this.#collector.pend(check),
      onCost: this.#options.onCost,
    };
  }
}

/** The longest prefix of at most so many bytes of UTF-8 (the server may cut a character in two; this does not). */
function cutToBytes(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  const cut = Buffer.from(text).subarray(0, bytes).toString("utf8");
  return cut.endsWith("\uFFFD") ? cut.replace(/\uFFFD+$/, "") : cut;
}
