/** The expressions of a policy, asked once more with somebody who watches. */
import type { ShieldPolicySpec } from "@shieldx/crds";
import { compileCelRules } from "../cel/admission/compile.ts";
import type { CelOutcome } from "../cel/admission/outcome.ts";
import type { CelParams } from "../cel/admission/question.ts";
import { nameOf } from "../policy-set/exceptions.ts";
import { paramFinder, paramReferenceOf } from "../policy-set/params.ts";
import type { Question } from "../policy-set/question.ts";
import { type ExplainedPart, type ExplainedResult, ExpressionTrace } from "./trace.ts";

export interface ExplainedExpression {
  /** `spec.validations[0].expression`. */
  readonly path: string;
  /** Of a variable or a condition. */
  readonly name?: string;
  readonly expression: string;
  readonly result: ExplainedResult;
  readonly parts: readonly ExplainedPart[];
}

export interface ExplainedRule extends ExplainedExpression {
  readonly verdict: "kept" | "broken" | "error" | "notEvaluated";
  /** Of a rule that is broken, or of the error. */
  readonly message?: string;
}

/** What the expressions came to, with one parameter object where the policy takes any. */
export interface ExplainedRun {
  /** `namespace/name` of the parameter object. */
  readonly params?: string;
  readonly conditions: readonly ExplainedExpression[];
  readonly variables: readonly ExplainedExpression[];
  readonly rules: readonly ExplainedRule[];
}

/** Parameter objects that are shown, each for itself. */
const mostRuns = 10;

/** Nothing for engines podSecurity and images, and of engine rego the conditions. */
export function explainExpressions(spec: ShieldPolicySpec, question: Question): ExplainedRun[] {
  if (spec.engine === "podSecurity" || spec.engine === "images") return [];
  const reference = paramReferenceOf(spec);
  const params = reference && paramFinder(reference)(question.context.params, question.namespace);
  if (params === undefined) return [run(spec, question, undefined)];
  if ("problem" in params) return [];
  return params.objects.slice(0, mostRuns).map((object) => ({
    params: nameOf(object),
    ...run(spec, question, { objects: [object] }),
  }));
}

function run(spec: ShieldPolicySpec, question: Question, params: CelParams | undefined): ExplainedRun {
  const traces = new Map<string, ExpressionTrace>();
  const isCel =
    spec.engine === "cel" && (spec.validations ?? []).length + (spec.auditAnnotations ?? []).length > 0;
  const rules = compileCelRules(
    {
      ...spec,
      // What failurePolicy passes over is told as well, and by Fail the outcome says what kind of thing failed.
      failurePolicy: "Fail",
      ...(isCel ? {} : { variables: [], validations: [{ expression: "true" }], auditAnnotations: [] }),
    },
    (path, checked) => {
      const trace = new ExpressionTrace(checked);
      traces.set(path, trace);
      return trace;
    },
  );
  const { authorize } = question.context;
  const outcome = rules.evaluate(question.forExpressions, {
    isLate: question.isLate,
    ...(authorize === undefined ? {} : { authorize }),
    ...(params === undefined ? {} : { params }),
  });
  const explained = (path: string, expression: string, name?: string): ExplainedExpression => {
    const trace = traces.get(path);
    const { result = { kind: "notEvaluated" } } = trace ?? {};
    const named = name === undefined ? {} : { name };
    return { path, ...named, expression: expression.trim(), result, parts: trace?.parts() ?? [] };
  };
  const { matchConditions = [], variables = [], validations = [] } = spec;
  return {
    conditions: matchConditions.map(({ name, expression }, index) =>
      explained(`spec.matchConditions[${index}].expression`, expression, name),
    ),
    variables: (isCel ? variables : []).map(({ name, expression }, index) =>
      explained(`spec.variables[${index}].expression`, expression, name),
    ),
    rules: (isCel ? validations : []).map(({ expression }, index) =>
      judged(explained(`spec.validations[${index}].expression`, expression), index, outcome),
    ),
  };
}

function judged(explained: ExplainedExpression, index: number, outcome: CelOutcome): ExplainedRule {
  // Indices of audit annotations are of another list.
  const failure = outcome.failures.find((each) => each.index === index && each.kind !== "auditAnnotation");
  if (failure !== undefined)
    return {
      ...explained,
      verdict: failure.kind === "denied" ? "broken" : "error",
      message: failure.message,
    };
  return { ...explained, verdict: explained.result.kind === "notEvaluated" ? "notEvaluated" : "kept" };
}
