import type { KeptPolicy } from "@shieldx/crds";
import type { ObjectTypes } from "../mutation/object-types.ts";
import { isJsonObject } from "../pod-security/shape-reader.ts";
import { podCarrierOf } from "../pod-security/workload.ts";
import type { RegoProgram } from "../rego/program/index.ts";
import type { CompiledPolicy } from "./compile.ts";
import { type PolicySetMember, policySetDigest } from "./digest.ts";
import { quickRules } from "./engines/cel.ts";
import { quickQueries } from "./engines/rego.ts";
import type { PolicyCompileError } from "./errors.ts";
import { type CompiledException, nameOf } from "./exceptions.ts";
import { holdPolicy, isLetPass } from "./hold.ts";
import { matchSubject, metadataOf } from "./match.ts";
import { type MutatingPolicy, type MutationVerdict, mutableObject, mutateObject } from "./mutate.ts";
import type { PlanStep } from "./plan.ts";
import { mutationReaches, PolicyIndex } from "./policy-index.ts";
import { isBeingDeleted, Question, type QuestionContext } from "./question.ts";
import {
  type AdmissionRequestLike,
  type FailurePolicy,
  type GroupVersionResource,
  neverJudgedNamespaces,
} from "./request.ts";
import { actingVersions, shadowsOf } from "./stage.ts";
import { atOnce, type TimedContext, Timing, type Turns } from "./timing.ts";
import { type Exempted, type Finding, nothingToSay, type Verdict, VerdictBuilder } from "./verdict.ts";

export interface EvaluationContext extends QuestionContext, TimedContext {
  /** Only policies with this failurePolicy are evaluated; all when left out. */
  readonly failurePolicy?: FailurePolicy;
}

/** Which policies mutate a request: those of one failurePolicy and one reinvocationPolicy, or all. */
export interface MutationFilter {
  readonly failurePolicy?: FailurePolicy;
  readonly reinvocationPolicy?: "Never" | "IfNeeded";
}

export interface MutationContext extends QuestionContext, TimedContext, MutationFilter {
  /** Types of objects by their schemas. */
  readonly types: ObjectTypes;
}

export interface JudgeContext extends QuestionContext, TimedContext {
  /** What the object is, for kinds other than the built-in workloads. */
  readonly resource?: GroupVersionResource;
}

/** What background audit has to say about an object that already exists. */
export interface AuditVerdict {
  readonly findings: readonly Finding[];
  readonly exempted: readonly Exempted[];
  /** Every policy that was held against the object, in order. */
  readonly matched: readonly string[];
  /** Not empty: not all is decided yet; have these answered and judge again. */
  readonly asks: Verdict["asks"];
}

/** A policy or exception that could not be compiled. */
export interface PolicySetProblem {
  readonly kind: "ShieldPolicy" | "ShieldException";
  /** `namespace/name` for an exception. */
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  readonly error: PolicyCompileError;
  /** The last version that compiled is still in force. */
  readonly keepsLastGood: boolean;
  /** What a policy in Rego that compiles would have been judged by. */
  readonly program?: RegoProgram | undefined;
}

/**
 * An immutable set of compiled policies and exceptions. Swap the reference to reload; requests under way finish
 * on the set they began with.
 */
export class PolicySet {
  /** Of what was compiled from the newest state, so that it is equal wherever that state has been taken in. */
  readonly digest: string;
  readonly members: readonly PolicySetMember[];
  /** Policies in force in an older version, because the newest does not compile; no members. */
  readonly kept: readonly KeptPolicy[];
  readonly policies: readonly CompiledPolicy[];
  /** Those, and versions before them that hold where they do not act yet: all by which something is judged here. */
  readonly versions: readonly CompiledPolicy[];
  readonly problems: readonly PolicySetProblem[];
  /** What `latest` meant when it was built. */
  readonly serverMinor: number;
  readonly #byName: ReadonlyMap<string, CompiledPolicy>;
  readonly #neverJudged: ReadonlySet<string>;
  readonly #exceptions: ReadonlyMap<string, readonly CompiledException[]>;
  readonly #admission: PolicyIndex;
  /** Of policies whose newest version does not act everywhere: where it does not. */
  readonly #shadows: PolicyIndex;
  readonly #mayShadow: boolean;
  readonly #background: PolicyIndex;
  readonly #mutation: PolicyIndex<MutatingPolicy>;

  constructor(parts: {
    readonly policies: readonly CompiledPolicy[];
    readonly exceptions: readonly CompiledException[];
    readonly members: readonly PolicySetMember[];
    readonly kept: readonly KeptPolicy[];
    readonly problems: readonly PolicySetProblem[];
    readonly serverMinor: number;
    readonly neverJudged?: readonly string[] | undefined;
  }) {
    this.policies = parts.policies;
    this.problems = parts.problems;
    this.serverMinor = parts.serverMinor;
    this.#byName = new Map(parts.policies.map((policy) => [policy.name, policy]));
    this.members = parts.members;
    this.kept = parts.kept;
    this.digest = policySetDigest(parts.members);
    this.#neverJudged = new Set([...neverJudgedNamespaces, ...(parts.neverJudged ?? [])]);
    this.#exceptions = groupExceptions(parts.exceptions);
    this.versions = parts.policies.flatMap((policy) => [policy, ...listOf(policy.stage?.inForce)]);
    const judged = parts.policies.flatMap(actingVersions).filter(({ isEvaluatedHere }) => isEvaluatedHere);
    this.#admission = new PolicyIndex(judged.filter(({ admission }) => admission !== "off"));
    const shadows = parts.policies.flatMap(shadowsOf);
    this.#shadows = new PolicyIndex(shadows);
    this.#mayShadow = shadows.length > 0;
    const mutating = judged.filter(isMutating).filter(({ admission }) => admission !== "off");
    this.#mutation = new PolicyIndex(mutating, mutationReaches);
    this.#background = new PolicyIndex(parts.policies.filter(({ background }) => background === "audit"));
  }

  /** The policy of this name in force, if any. */
  policy(name: string): CompiledPolicy | undefined {
    return this.#byName.get(name);
  }

  /**
   * Decides an admission request. Never throws: what goes wrong inside becomes a finding that follows the
   * policy's failurePolicy.
   */
  evaluate(request: AdmissionRequestLike, context: EvaluationContext): Verdict {
    return atOnce(this.evaluation(request, context));
  }

  /** `evaluate`, in turns with others. */
  *evaluation(request: AdmissionRequestLike, context: EvaluationContext): Turns<Verdict> {
    return yield* this.#evaluation(this.#admission, request, context);
  }

  /** Whether some policy's newest version is to be held against the request without acting on it. */
  hasShadows(request: AdmissionRequestLike): boolean {
    if (!this.#mayShadow) return false;
    const steps = this.#shadows.planOf(request);
    return (
      steps.some(({ actsOn }) => actsOn?.(request) !== false) &&
      !this.#neverJudged.has(request.namespace ?? "")
    );
  }

  /** What the newest versions of policies would say where they do not act yet. Never throws, as `evaluate`. */
  *shadowing(request: AdmissionRequestLike, context: EvaluationContext): Turns<Verdict> {
    return yield* this.#evaluation(this.#shadows, request, context);
  }

  *#evaluation(
    index: PolicyIndex,
    request: AdmissionRequestLike,
    context: EvaluationContext,
  ): Turns<Verdict> {
    const steps = index.planOf(request);
    if (steps.length === 0 || this.#neverJudged.has(request.namespace ?? "")) return nothingToSay;

    const timing = new Timing(context);
    const question = new Question(request, context, timing);
    const builder = new VerdictBuilder();
    for (const step of steps) {
      if (timing.isTurnOver()) yield* timing.pause();
      if (!isAsked(step, request, context.failurePolicy)) continue;
      const startedAt = step.policy.stage === undefined ? 0 : timing.now();
      if (isLetPass(step, question, builder)) continue;
      if (isQuicklyKept(step, question)) builder.matched(step.name);
      else {
        this.#hold(step, question, builder);
        timing.look();
      }
      if (step.policy.stage !== undefined) builder.staged(step.name, timing.now() - startedAt);
    }
    return builder.verdict();
  }

  #hold({ policy, action }: PlanStep, question: Question, builder: VerdictBuilder): void {
    holdPolicy(policy, action, question, this.#exceptionsFor(policy, question), builder);
  }

  /** Whether some policy may change the request's object: then `mutate` is worth what it needs. */
  mayMutate(request: AdmissionRequestLike, filter: MutationFilter): boolean {
    return this.#mutating(request, filter).length > 0;
  }

  /** Whether one of those has to know the schema of the object's kind. */
  needsType(request: AdmissionRequestLike, filter: MutationFilter): boolean {
    return this.#mutating(request, filter).some(({ mutator }) => mutator.needsType);
  }

  /** Groups and versions whose schemas mutations need, as far as policies name them. */
  mutatedVersions(): { readonly group: string; readonly version: string }[] {
    const rules = this.versions
      .filter(isMutating)
      .filter(({ mutator }) => mutator.needsType)
      .flatMap(({ match }) => match.resourceRules);
    return rules
      .flatMap(({ apiGroups, apiVersions }) =>
        apiGroups.flatMap((group) => apiVersions.map((version) => ({ group, version }))),
      )
      .filter(({ group, version }) => group !== "*" && version !== "*");
  }

  /** Changes the object of an admission request. Never throws, as `evaluate`. */
  mutate(request: AdmissionRequestLike, context: MutationContext): MutationVerdict {
    return atOnce(this.mutation(request, context));
  }

  /** `mutate`, in turns with others. */
  *mutation(request: AdmissionRequestLike, context: MutationContext): Turns<MutationVerdict> {
    const candidates = this.#mutating(request, context);
    if (candidates.length === 0) return nothingToChange;
    const timing = new Timing(context);
    const question = new Question(request, context, timing);
    const object = mutableObject(request, question);
    if (object === undefined) return nothingToChange;
    const exceptionsFor = (policy: CompiledPolicy) => this.#exceptionsFor(policy, question);
    return yield* mutateObject(candidates, question, timing, object, exceptionsFor, context.types);
  }

  #mutating(request: AdmissionRequestLike, filter: MutationFilter): readonly MutatingPolicy[] {
    const { failurePolicy, reinvocationPolicy } = filter;
    if (this.#neverJudged.has(request.namespace ?? "")) return [];
    return this.#mutation
      .of(request)
      .filter(
        (policy) =>
          policy.actsOn?.(request) !== false &&
          (failurePolicy === undefined || policy.failurePolicy === failurePolicy) &&
          (reinvocationPolicy === undefined || policy.mutator.reinvocationPolicy === reinvocationPolicy),
      );
  }

  /** Holds the policies with background audit against an object that already exists. Never throws. */
  judge(object: unknown, context: JudgeContext): AuditVerdict {
    const resource = context.resource ?? resourceOf(object);
    if (resource === undefined || !isJsonObject(object) || isBeingDeleted(object)) return nothingFound;
    // A request about a Namespace carries its name.
    const isNamespace = resource.group === "" && resource.resource === "namespaces";
    const namespace = isNamespace ? nameOf(object) : stringOf(metadataOf(object)?.namespace);
    if (this.#neverJudged.has(namespace)) return nothingFound;
    const asIf = (operation: string): AdmissionRequestLike => ({
      uid: "",
      kind: { group: resource.group, version: resource.version, kind: stringOf(object.kind) },
      resource,
      name: nameOf(object),
      namespace,
      operation,
      userInfo: {},
      object,
    });
    const candidates = this.#background.ofAnyOperation(asIf("CREATE"));
    if (candidates.length === 0) return nothingFound;

    const question = new Question(asIf("CREATE"), context, new Timing(context));
    const onUpdate = matchSubject(asIf("UPDATE"), context.namespaceLabels);
    const builder = new VerdictBuilder();
    for (const policy of candidates) {
      const subject = question.answer(policy.match, question.subject) === "no" ? onUpdate : question.subject;
      holdPolicy(policy, "audit", question, this.#exceptionsFor(policy, question), builder, subject);
    }
    const { audits, exempted, matched, asks } = builder.verdict();
    return { findings: audits, exempted, matched, asks };
  }

  #exceptionsFor(policy: CompiledPolicy, question: Question): readonly CompiledException[] {
    if (this.#exceptions.size === 0) return noExceptions;
    return this.#exceptions.get(exceptionKey(policy.name, question.namespace)) ?? noExceptions;
  }
}

function isAsked(
  { calledBy, actsOn }: PlanStep,
  request: AdmissionRequestLike,
  failurePolicy: FailurePolicy | undefined,
): boolean {
  const isCalled = failurePolicy === undefined || calledBy === "either" || calledBy === failurePolicy;
  return isCalled && actsOn?.(request) !== false;
}

function listOf(policy: CompiledPolicy | undefined): readonly CompiledPolicy[] {
  return policy === undefined ? [] : [policy];
}

/** As `holdPolicy` where it comes to nothing; false tells nothing. */
function isQuicklyKept({ quick, quickRego, match }: PlanStep, question: Question): boolean {
  if (quick === undefined && quickRego === undefined) return false;
  try {
    if (question.answer(match, question.subject) !== "yes" || question.isLate()) return false;
    if (quick !== undefined) return question.once(quickRules).isKept(quick);
    return quickRego !== undefined && question.once(quickQueries).isEmpty(quickRego);
  } catch {
    // Whatever it is, it comes again where it is told.
    return false;
  }
}

function isMutating(policy: CompiledPolicy): policy is MutatingPolicy {
  return policy.mutator !== undefined;
}

const nothingToChange: MutationVerdict = Object.freeze({
  ...nothingToSay,
  object: undefined,
  mutated: Object.freeze([]),
});

const nothingFound: AuditVerdict = Object.freeze({
  findings: Object.freeze([]),
  exempted: Object.freeze([]),
  matched: Object.freeze([]),
  asks: Object.freeze([]),
});

const noExceptions: readonly CompiledException[] = [];

function resourceOf(object: unknown): GroupVersionResource | undefined {
  const carrier = podCarrierOf(object);
  if (carrier === undefined || !isJsonObject(object)) return undefined;
  const version = stringOf(object.apiVersion).split("/").at(-1) ?? "";
  return { group: carrier.group, version, resource: carrier.resource };
}

function stringOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function groupExceptions(exceptions: readonly CompiledException[]): Map<string, CompiledException[]> {
  const groups = new Map<string, CompiledException[]>();
  for (const exception of exceptions) {
    for (const policy of exception.policies) {
      const key = exceptionKey(policy, exception.namespace);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [exception]);
      else group.push(exception);
    }
  }
  return groups;
}

function exceptionKey(policy: string, namespace: string): string {
  return `${namespace}/${policy}`;
}
