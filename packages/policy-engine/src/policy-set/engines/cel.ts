import { effectiveFailurePolicy, type ShieldPolicySpec } from "@shieldx/crds";
import { type CompiledCelRules, compileCelRules } from "../../cel/admission/compile.ts";
import { CelRulesError } from "../../cel/admission/errors.ts";
import type { CelFailure, CelOutcome } from "../../cel/admission/outcome.ts";
import type { CelParams } from "../../cel/admission/question.ts";
import { QuickRules } from "../../cel/admission/quick-rule.ts";
import type { Json } from "../../cel/kubernetes/json.ts";
import { celMutator, type Mutator } from "../../mutation/mutator.ts";
import { onlyEnds } from "../ending.ts";
import { PolicyCompileError } from "../errors.ts";
import {
  type Judge,
  type Judgement,
  neverHere,
  passes,
  type Unjudged,
  type Violation,
} from "../judgement.ts";
import { isLeftAlone, namespaceCleaners } from "../left-alone.ts";
import { paramFinder, paramReferenceOf } from "../params.ts";
import type { Question } from "../question.ts";

/**
 * Rules in CEL, with the names and meaning of ValidatingAdmissionPolicy.
 *
 * @throws PolicyCompileError naming the expression that cannot be compiled, and where in it.
 */
export function celJudge(spec: ShieldPolicySpec): Judge {
  const rules = compileRules(spec);
  const readsNamespace = mentions(spec, /\bnamespaceObject\b/);
  const judgeBy = judgedBy(rules, readsNamespace);
  const reference = paramReferenceOf(spec);
  const findParams = reference && paramFinder(reference);
  return {
    basis: "",
    reaches: (group, resource, subresource) => !isLeftAlone(group, resource, subresource, undefined),
    mustPass,
    quick: readsNamespace ? undefined : rules.quick,
    judge: (question) => judgeBy(question, findParams?.(question.context.params, question.namespace)),
    describe: ({ detail }) => detail,
    partOf: () => "",
    hint: "",
  };
}

/** Of rules that cannot be judged by: failurePolicy decides on whatever they are about. */
export function unableJudge(problem: string): Judge {
  const reaches: Judge["reaches"] = (group, resource, subresource) =>
    !isLeftAlone(group, resource, subresource, undefined);
  return {
    ...neverHere,
    reaches,
    mustPass,
    judge: () => ({ kind: "fails", code: "EvaluationError", problem }),
  };
}

/**
 * The rules alone, to be asked with the parameters there are.
 *
 * @throws PolicyCompileError naming the expression that cannot be compiled, and where in it.
 */
export function celRules(
  spec: ShieldPolicySpec,
): (question: Question, params: CelParams | undefined) => Judgement {
  return judgedBy(compileRules(spec), mentions(spec, /\bnamespaceObject\b/));
}

function judgedBy(
  rules: CompiledCelRules,
  readsNamespace: boolean,
): (question: Question, params: CelParams | undefined) => Judgement {
  return (question, params) => {
    if (readsNamespace && question.lacksNamespace) return namespaceUnknown(question.namespace);
    const options = question.once(optionsOf);
    const asked = params === undefined ? options : { ...options, params };
    return judgementOf(rules.evaluate(question.forExpressions, asked));
  };
}

/** Whether some expression of the policy, or its module, speaks of that. */
export function mentions(spec: ShieldPolicySpec, name: RegExp): boolean {
  const expressions = [
    ...(spec.matchConditions ?? []).map(({ expression }) => expression),
    ...(spec.variables ?? []).map(({ expression }) => expression),
    ...(spec.validations ?? []).flatMap(({ expression, messageExpression = "" }) => [
      expression,
      messageExpression,
    ]),
    ...(spec.auditAnnotations ?? []).map(({ valueExpression }) => valueExpression),
    ...(spec.mutations ?? []).map(
      ({ applyConfiguration, jsonPatch }) => (applyConfiguration ?? jsonPatch)?.expression ?? "",
    ),
    spec.rego?.module ?? "",
    ...(spec.rego?.libs ?? []),
  ];
  return expressions.some((expression) => name.test(expression));
}

/** To expressions a namespace that could not be looked up must not look like none. */
function namespaceUnknown(namespace: string): Judgement {
  return {
    kind: "fails",
    code: "NamespaceUnknown",
    problem: `namespace "${namespace}" could not be looked up`,
  };
}

function compileRules(spec: ShieldPolicySpec): CompiledCelRules {
  return namingProblems(() => compileCelRules({ ...spec, failurePolicy: effectiveFailurePolicy(spec) }));
}

/**
 * What the policy changes.
 *
 * @throws PolicyCompileError naming the expression that cannot be compiled, and where in it.
 */
export function compileMutator(spec: ShieldPolicySpec): Mutator {
  return namingProblems(() => celMutator(spec, mentions(spec, /\bnamespaceObject\b/)));
}

function namingProblems<T>(compile: () => T): T {
  try {
    return compile();
  } catch (error) {
    if (!(error instanceof CelRulesError)) throw error;
    const [first, ...more] = error.problems;
    const rest = more.map(({ path, message }) => `; ${path}: ${message}`).join("");
    const message = `${first?.message ?? error.message}${rest}`;
    throw new PolicyCompileError("Invalid", first?.path ?? "spec", message, { cause: error });
  }
}

/** For rules without parameters that do not look at the namespace. */
export function quickRules(question: Question): QuickRules {
  const { isLate, context, forExpressions } = question;
  return new QuickRules({ question: forExpressions, authorize: context.authorize, isLate });
}

function optionsOf({ context: { authorize, onSpent }, isLate }: Question) {
  const onCost = onSpent && ((units: number) => onSpent("cel", units));
  return { isLate, onCost, ...(authorize === undefined ? {} : { authorize }) };
}

function judgementOf(outcome: CelOutcome): Judgement {
  const { pending, isMatch, failures, ignoredErrors, auditAnnotations: annotations } = outcome;
  if (pending.length > 0) return { kind: "asks", checks: pending };
  // A condition in error under failurePolicy Ignore leaves the request alone, and is told as a faulty rule is.
  if (!isMatch && ignoredErrors.length === 0) return irrelevant;
  if (failures.length === 0 && ignoredErrors.length === 0)
    return annotations.size === 0 ? passes : { kind: "passes", annotations };
  const denied = failures.filter(({ kind }) => kind === "denied");
  const errors = [...failures.filter(({ kind }) => kind !== "denied"), ...ignoredErrors];
  const unjudged: Unjudged | undefined =
    errors.length === 0
      ? undefined
      : { code: "EvaluationError", problem: errors.map(({ message }) => message).join("; ") };
  const [first] = denied;
  if (first === undefined) return unjudged === undefined ? passes : { kind: "fails", ...unjudged };
  const violations = denied.map(violationOf);
  return {
    kind: "breaks",
    violations,
    unjudged,
    isMalformed: false,
    annotations,
    statusReason: first.reason,
  };
}

const irrelevant: Judgement = Object.freeze({ kind: "irrelevant" });

function violationOf({ index, message, reason }: CelFailure): Violation {
  return { checkId: index === undefined ? "policy" : `validations[${index}]`, reason, detail: message };
}

/** What the rendered policy's own conditions let pass (native/must-pass.ts), so that both say the same. */
export function mustPass({ request, isBeingDeleted }: Question): boolean {
  const { operation, resource, subResource = "", userInfo } = request;
  if (isLeftAlone(resource.group, resource.resource, subResource, operation)) return true;
  // Who was let begin a deletion must be let end it: kubelets delete a Pod that is being deleted once more.
  if (operation === "DELETE") return isBeingDeleted || namespaceCleaners.includes(userInfo.username ?? "");
  return (
    operation === "UPDATE" &&
    isBeingDeleted &&
    onlyEnds(request.oldObject as Json | undefined, request.object as Json | undefined)
  );
}
