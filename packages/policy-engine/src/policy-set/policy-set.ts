import { type KeptPolicy, namespaceOfPolicy } from "@shieldx/crds";
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
import { failure, holdPolicy, isLetPass } from "./hold.ts";
import { type MatchSubject, matchSubject, metadataOf } from "./match.ts";
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
import { passesTenants } from "./tenants/cluster-components.ts";
import {
  contextOfTenant,
  measured,
  type PoliciesOfNamespace,
  type TenantContext,
  tenantPolicies,
  together,
} from "./tenants/tenant-policies.ts";
import { atOnce, monotonicNowOf, type TimedContext, Timing, type Turns } from "./timing.ts";
import { verdictUnread, type WhyUnread } from "./unread.ts";
import { type Exempted, type Finding, nothingToSay, type Verdict, VerdictBuilder } from "./verdict.ts";

export interface EvaluationContext extends QuestionContext, TimedContext {
  /** Only policies with this failurePolicy are evaluated; all when left out. */
  readonly failurePolicy?: FailurePolicy;
  /** For policies of tenants. */
  readonly tenants?: TenantContext | undefined;
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
  /** For policies of tenants. */
  readonly tenants?: TenantContext | undefined;
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
  readonly kind: "ShieldPolicy" | "NamespacedShieldPolicy" | "ShieldException";
  /** `namespace/name` for all but a ShieldPolicy. */
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  readonly error: PolicyCompileError;
  /** The last version that compiled is still in force. */
  readonly keepsLastGood: boolean;
  /** What a policy in Rego that compiles would have been judged by. */
  readonly program?: RegoProgram | undefined;
}

/** Whether it is about a policy, of the cluster or of a tenant. */
export function isPolicyProblem({ kind }: Pick<PolicySetProblem, "kind">): boolean {
  return kind !== "ShieldException";
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
  /** By namespace. */
  readonly #tenants: ReadonlyMap<string, PoliciesOfNamespace>;

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
    this.#tenants = tenantPolicies(parts.policies);
    const ofCluster = parts.policies.filter(({ name }) => namespaceOfPolicy(name) === undefined);
    const judged = ofCluster.flatMap(actingVersions).filter(({ isEvaluatedHere }) => isEvaluatedHere);
    this.#admission = new PolicyIndex(judged.filter(({ admission }) => admission !== "off"));
    const shadows = ofCluster.flatMap(shadowsOf);
    this.#shadows = new PolicyIndex(shadows);
    this.#mayShadow = shadows.length > 0;
    const mutating = judged.filter(isMutating).filter(({ admission }) => admission !== "off");
    this.#mutation = new PolicyIndex(mutating, mutationReaches);
    this.#background = new PolicyIndex(ofCluster.filter(({ background }) => background === "audit"));
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
    const ofNamespace = this.#tenants.get(request.namespace ?? "");
    if (ofNamespace === undefined) return yield* this.#evaluation(this.#admission, request, context);
    const now = monotonicNowOf(context);
    const startedAt = now();
    const verdict = yield* this.#evaluation(this.#admission, request, context);
    // What is asked first, and asked about again, the tenant need not pay for twice.
    if (verdict.asks.length > 0 || passesTenants(request, context.namespaceObject)) return verdict;
    const leftMs = (context.deadlineMs ?? Number.POSITIVE_INFINITY) - (now() - startedAt);
    return together(verdict, yield* this.#tenantEvaluation(ofNamespace, request, context, leftMs));
  }

  /** After the policies of the cluster, so that tenants can take nothing from them. */
  *#tenantEvaluation(
    { admission }: PoliciesOfNamespace,
    request: AdmissionRequestLike,
    context: EvaluationContext,
    leftMs: number,
  ): Turns<Verdict> {
    const { namespace = "" } = request;
    const asked = contextOfTenant(context, namespace, leftMs);
    const time = context.tenants?.time;
    if (time?.isUsedUp(namespace) === true) return this.#unjudged(admission, request, asked);
    const now = context.cpuNow ?? monotonicNowOf(context);
    const work = this.#evaluation(admission, request, asked);
    return yield* measured(work, now, (ms) => time?.used(namespace, ms));
  }

  /** Policies there is no time for: what their failurePolicy says. */
  #unjudged(index: PolicyIndex, request: AdmissionRequestLike, context: EvaluationContext): Verdict {
    const question = new Question(request, context, new Timing(context));
    const builder = new VerdictBuilder();
    for (const step of index.planOf(request)) {
      if (!isAsked(step, request, context.failurePolicy) || isLetPass(step, question, builder)) continue;
      if (question.answer(step.match, question.subject) !== "yes") continue;
      builder.matched(step.name);
      builder.add(failure(step.policy, step.action, question, "DeadlineExceeded", SHARE_USED_UP));
    }
    return builder.verdict();
  }

  /**
   * Decides a request whose objects nobody looked at: for each policy that may be about it, as if it broke that one.
   * @param request without its objects
   */
  evaluateUnread(
    request: AdmissionRequestLike,
    context: Pick<EvaluationContext, "failurePolicy" | "namespaceLabels" | "namespaceObject">,
    why: WhyUnread,
  ): Verdict {
    const { namespace = "" } = request;
    if (this.#neverJudged.has(namespace)) return nothingToSay;
    const ofTenants = passesTenants(request, context.namespaceObject)
      ? undefined
      : this.#tenants.get(namespace);
    const candidates = [this.#admission, ...(ofTenants === undefined ? [] : [ofTenants.admission])]
      .flatMap((index) => index.planOf(request))
      .filter((step) => isAsked(step, request, context.failurePolicy));
    return verdictUnread(candidates, request, context.namespaceLabels, why);
  }

  /** The same of those that would change the object. */
  mutateUnread(
    request: AdmissionRequestLike,
    context: Pick<MutationContext, "namespaceLabels" | keyof MutationFilter>,
    why: WhyUnread,
  ): Verdict {
    const { operation } = request;
    if (operation !== "CREATE" && operation !== "UPDATE") return nothingToSay;
    const candidates = this.#mutating(request, context).map((policy) => ({
      policy,
      action: "deny" as const,
    }));
    return verdictUnread(candidates, request, context.namespaceLabels, why);
  }

  /** Whether some policy is judged here, in calls of this failurePolicy. */
  judges(called: FailurePolicy): boolean {
    return this.versions.some(({ isEvaluatedHere, admission, failurePolicy, calledBy = failurePolicy }) => {
      const isCalled = calledBy === "either" || calledBy === called;
      return isEvaluatedHere && admission !== "off" && isCalled;
    });
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
    const created = asIf("CREATE");
    const candidates = this.#background.ofAnyOperation(created);
    const ofNamespace = isNamespace ? undefined : this.#tenants.get(namespace)?.background;
    const ofTenant = ofNamespace?.ofAnyOperation(created) ?? [];
    if (candidates.length + ofTenant.length === 0) return nothingFound;

    const startedAt = ofTenant.length === 0 ? 0 : monotonicNowOf(context)();
    const onUpdate = matchSubject(asIf("UPDATE"), context.namespaceLabels);
    const builder = new VerdictBuilder();
    this.#judgeBy(candidates, new Question(created, context, new Timing(context)), onUpdate, builder);
    if (ofTenant.length > 0) {
      const { deadlineMs = Number.POSITIVE_INFINITY } = context;
      const leftMs = Math.min(deadlineMs - (monotonicNowOf(context)() - startedAt), MOST_FOR_TENANT_MS);
      const asked = contextOfTenant(context, namespace, leftMs);
      this.#judgeBy(ofTenant, new Question(created, asked, new Timing(asked)), onUpdate, builder);
    }
    const { audits, exempted, matched, asks } = builder.verdict();
    return { findings: audits, exempted, matched, asks };
  }

  #judgeBy(
    candidates: readonly CompiledPolicy[],
    question: Question,
    onUpdate: MatchSubject,
    builder: VerdictBuilder,
  ): void {
    for (const policy of candidates) {
      const subject = question.answer(policy.match, question.subject) === "no" ? onUpdate : question.subject;
      holdPolicy(policy, "audit", question, this.#exceptionsFor(policy, question), builder, subject);
    }
  }

  /** Who may write exceptions in a namespace has no say about the Namespace itself. */
  #exceptionsFor(policy: CompiledPolicy, question: Question): readonly CompiledException[] {
    if (this.#exceptions.size === 0 || !question.isInNamespace) return noExceptions;
    return this.#exceptions.get(exceptionKey(policy.name, question.namespace)) ?? noExceptions;
  }
}

/** Twice what the policies of a namespace get for one object that exists: see `contextOfTenant`. */
const MOST_FOR_TENANT_MS = 100;

const SHARE_USED_UP =
  "the policies of this namespace took more time than is their share; make their rules cheaper, or try again";

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
  if ((quick === undefined && quickRego === undefined) || question.context.onSpent !== undefined)
    return false;
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
  made: undefined,
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
