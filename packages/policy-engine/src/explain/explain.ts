import { effectiveFailurePolicy } from "@shieldx/crds";
import { typeWithoutSchema } from "../mutation/object-types.ts";
import type { CompiledPolicy } from "../policy-set/compile.ts";
import { podResourceRules } from "../policy-set/compile.ts";
import { type CompiledException, standingOf } from "../policy-set/exceptions.ts";
import { isLeftAlone } from "../policy-set/left-alone.ts";
import { type EvaluationContext, PolicySet } from "../policy-set/policy-set.ts";
import { Question } from "../policy-set/question.ts";
import { type AdmissionRequestLike, neverJudgedNamespaces } from "../policy-set/request.ts";
import { Timing } from "../policy-set/timing.ts";
import type { Verdict } from "../policy-set/verdict.ts";
import { type ExplainedRun, explainExpressions } from "./expressions.ts";
import { whyNotMatched } from "./match-why.ts";

/**
 * - `breaks`: a rule is broken; what follows is `action`'s.
 * - `fails`: it came to no verdict, which failurePolicy decides.
 * - `exempted`: an exception, or an exemption of engine podSecurity, sets aside what would be said.
 * - `notMatched`: the policy is not about this request.
 * - `unknown`: only a cluster can tell.
 */
export type Conclusion = "breaks" | "fails" | "passes" | "exempted" | "notMatched" | "unknown";

export interface Explanation {
  readonly policy: string;
  readonly engine: CompiledPolicy["engine"];
  readonly action: CompiledPolicy["admission"];
  readonly conclusion: Conclusion;
  /** The API server refuses the request because of this policy. */
  readonly isRefused: boolean;
  /** In a sentence or two, for people. */
  readonly why: string;
  /** The object was judged as the policy's own mutations make it. */
  readonly isMutated: boolean;
  readonly violations: readonly {
    readonly checkId: string;
    readonly reason: string;
    readonly detail: string;
  }[];
  /** Engines cel and rego: conditions, variables and rules, once for each parameter object. */
  readonly runs: readonly ExplainedRun[];
  /** Exceptions that name the policy in the namespace of the request. */
  readonly exceptions: readonly ExplainedException[];
}

export interface ExplainedException {
  readonly name: string;
  readonly counts: boolean;
  readonly why: string;
}

export interface ExplainInput {
  /** Compiled with `evaluatesNative`, so that it has a judge. */
  readonly policy: CompiledPolicy;
  readonly exceptions: readonly CompiledException[];
  readonly request: AdmissionRequestLike;
  readonly context: EvaluationContext;
  /** Namespaces no policy reaches, besides those of every cluster. */
  readonly neverJudged?: readonly string[] | undefined;
}

/** Says what a policy makes of a request, and why. Never throws for what is in the request. */
export function explainPolicy(input: ExplainInput): Explanation {
  try {
    return explained(input);
  } catch (error) {
    const { policy } = input;
    return {
      ...{ policy: policy.name, engine: policy.engine, action: policy.admission, isMutated: false },
      ...{ conclusion: "fails", why: `internal error: ${String(error)}` },
      isRefused: isRefusal("fails", policy),
      ...{ violations: [], runs: [], exceptions: [] },
    };
  }
}

function explained(input: ExplainInput): Explanation {
  const { policy, context } = input;
  const base = { policy: policy.name, engine: policy.engine, action: policy.admission, isMutated: false };
  const question = new Question(input.request, context, new Timing({}));
  const exceptions = explainedExceptions(input, question);
  const nothing = { isRefused: false, violations: [], runs: [], exceptions };
  const aside = whyNotAsked(input, question);
  if (aside !== undefined) return { ...base, ...nothing, ...aside };
  const set = setOf(input);
  const mutation = set.mutate(input.request, { ...context, types: () => typeWithoutSchema });
  const isMutated = mutation.object !== undefined;
  const request = isMutated ? { ...input.request, object: mutation.object } : input.request;
  const made = concluded(mutation, policy, question);
  const asked = isMutated ? new Question(request, context, new Timing({})) : question;
  const isDecided = made.conclusion === "fails" || made.conclusion === "unknown";
  const judged = isDecided ? made : concluded(set.evaluate(request, context), policy, question);
  // A policy that only changes objects has no rules to hold against them, and is about the request all the same.
  const said = judged.conclusion === "notMatched" ? (afterMutation(made, isMutated) ?? judged) : judged;
  const { conclusion } = said;
  return {
    ...base,
    ...said,
    isMutated,
    isRefused: isRefusal(conclusion, policy),
    runs: explainExpressions(policy.source.spec, asked),
    exceptions,
  };
}

/** What there is to say where no rule says anything; undefined where the mutations are not about the request either. */
function afterMutation(made: Said, isMutated: boolean): Said | undefined {
  if (made.conclusion !== "passes") return made.conclusion === "notMatched" ? undefined : made;
  const why = isMutated ? "its mutations change the object" : "its mutations leave the object as it is";
  return { ...made, why };
}

function isRefusal(conclusion: Conclusion, { admission, source }: CompiledPolicy): boolean {
  if (admission !== "deny") return false;
  return (
    conclusion === "breaks" || (conclusion === "fails" && effectiveFailurePolicy(source.spec) === "Fail")
  );
}

function setOf({ policy, exceptions, neverJudged }: ExplainInput): PolicySet {
  const admission = policy.admission === "off" ? "audit" : policy.admission;
  return new PolicySet({
    // What is off is explained all the same, and what failurePolicy lets pass is told besides.
    policies: [{ ...policy, admission, failurePolicy: "Fail", isEvaluatedHere: true }],
    exceptions,
    members: [],
    kept: [],
    problems: [],
    serverMinor: 0,
    neverJudged,
  });
}

type Said = Pick<Explanation, "conclusion" | "why" | "violations">;

/** What holds the policy off before any of its expressions is asked. */
function whyNotAsked(
  { policy, request, neverJudged = [] }: ExplainInput,
  question: Question,
): Said | undefined {
  const { namespace = "", resource, subResource = "", operation } = request;
  const not = (conclusion: "notMatched" | "passes", why: string): Said => ({
    conclusion,
    why,
    violations: [],
  });
  if ([...neverJudgedNamespaces, ...neverJudged].includes(namespace))
    return not(
      "notMatched",
      `no policy reaches namespace "${namespace}", so that the cluster can be brought back`,
    );
  const { engine, source, match, judge } = policy;
  const defaultRules = engine === "cel" || engine === "rego" ? match.resourceRules : podResourceRules;
  const unmatched = whyNotMatched(source.spec.matchConstraints, defaultRules, question.subject);
  if (unmatched !== undefined) return not("notMatched", unmatched);
  if (isLeftAlone(resource.group, resource.resource, subResource, operation))
    return not(
      "notMatched",
      `no policy reaches ${operation} of ${resource.resource}, so that the cluster can be brought back`,
    );
  if (!judge.reaches(resource.group, resource.resource, subResource) && policy.mutator === undefined)
    return not("notMatched", `engine ${engine} has nothing to say about ${resource.resource}`);
  if (policy.mutator === undefined && judge.mustPass(question))
    return not("passes", whyMustPass(policy, question));
  return undefined;
}

function whyMustPass({ engine }: CompiledPolicy, { request, isBeingDeleted }: Question): string {
  if (isBeingDeleted) return "the object is being deleted, and a policy must not keep it from going";
  if (request.operation === "DELETE") return "who empties a namespace that is being deleted is let do so";
  return engine === "podSecurity"
    ? "the request leaves alone everything that the Pod Security Standards look at"
    : "the request must pass, so that objects that exist are never trapped";
}

function concluded(verdict: Verdict, policy: CompiledPolicy, question: Question): Said {
  const { denials, warnings, audits, asks, exempted, matched } = verdict;
  const [finding] = [...denials, ...warnings, ...audits];
  if (asks.length > 0) {
    const asksRegistry = asks.some(({ check }) => check.kind === "image");
    const asked = asksRegistry ? "registries who signed images" : "the authorizer who may do what";
    const why = `it asks ${asked}, which is not asked here: see what the cluster answers`;
    return { conclusion: "unknown", why, violations: [] };
  }
  if (finding !== undefined) {
    const isVerdict = finding.code === "PolicyViolation" || finding.code === "MalformedObject";
    const conclusion = isVerdict ? "breaks" : finding.code === "SchemaUnknown" ? "unknown" : "fails";
    return { conclusion, why: finding.message, violations: finding.violations };
  }
  const [exemption] = exempted;
  if (exemption !== undefined) {
    const why =
      exemption.exception === undefined
        ? `it is exempt by ${exemption.ground}`
        : `ShieldException "${exemption.exception}" sets it aside`;
    return { conclusion: "exempted", why, violations: exempted.flatMap(({ violations }) => violations) };
  }
  if (matched.includes(policy.name))
    return { conclusion: "passes", why: "no rule is broken", violations: [] };
  return { conclusion: "notMatched", why: whyIrrelevant(policy, question), violations: [] };
}

function whyIrrelevant({ source: { spec } }: CompiledPolicy, { namespace }: Question): string {
  if ((spec.matchConditions ?? []).length > 0) return "one of its matchConditions is false";
  if (spec.paramKind !== undefined)
    return `there is no parameter object for namespace "${namespace}", and parameterNotFoundAction is Allow`;
  return "the policy has nothing to say about it";
}

function explainedExceptions(
  { policy, exceptions, request, context }: ExplainInput,
  { isInNamespace }: Question,
): ExplainedException[] {
  const { namespace = "", object, oldObject, kind } = request;
  return exceptions
    .filter((exception) => exception.namespace === namespace && exception.policies.includes(policy.name))
    .map((exception) => {
      const { key: name, checks } = exception;
      if (!isInNamespace)
        return { name, counts: false, why: "a Namespace is in no namespace, and no exception covers it" };
      if (!exception.covers(object ?? oldObject, kind.kind))
        return { name, counts: false, why: "its spec.match does not cover this object" };
      const standing = standingOf(policy.exceptions, exception, context.now, context.namespaceLabels);
      if (!standing.honoured) return { name, counts: false, why: standing.message };
      const what = checks === undefined ? "everything" : [...checks].join(", ");
      return {
        name,
        counts: true,
        why: `sets aside ${what} until ${new Date(standing.until).toISOString()}`,
      };
    });
}
