import type { KeptPolicy } from "@shieldx/crds";
import { judgePod, malformed, type Violation } from "../pod-security/evaluate.ts";
import { exemptionGround } from "../pod-security/exemptions.ts";
import { type PodReading, readPod } from "../pod-security/pod-view.ts";
import { isJsonObject } from "../pod-security/shape-reader.ts";
import { podJudgementUnchanged } from "../pod-security/unchanged.ts";
import { type ExtractedPod, extractPodSpec, podCarrierOf, podCarriers } from "../pod-security/workload.ts";
import type { CompiledPodSecurityPolicy, CompiledPolicy } from "./compile.ts";
import { type PolicySetMember, policySetDigest } from "./digest.ts";
import type { PolicyCompileError } from "./errors.ts";
import { type CompiledException, nameOf, standingOf } from "./exceptions.ts";
import { type MatchSubject, matchSubject, metadataOf } from "./match.ts";
import { errorMessage, type MessageSubject, violationMessage } from "./message.ts";
import { type AdmissionRequestLike, type FailurePolicy, neverJudgedNamespaces } from "./request.ts";
import { coversOperation, coversResource } from "./resource-rules.ts";
import type { Labels } from "./selector.ts";
import {
  type Exempted,
  type Finding,
  type FindingAction,
  nothingToSay,
  type Verdict,
  VerdictBuilder,
} from "./verdict.ts";
import { type WebhookMatch, webhookMatchOf } from "./webhook-rules.ts";

export interface EvaluationContext {
  /** Labels of the request's namespace; undefined when it could not be looked up. */
  readonly namespaceLabels: Labels | undefined;
  /** Wall clock, milliseconds since the epoch; decides which exceptions have expired. */
  readonly now: number;
  /** How long this call may take, in milliseconds. Policies it does not get to follow their failurePolicy. */
  readonly deadlineMs?: number;
  /** Only policies with this failurePolicy are evaluated; all when left out. */
  readonly failurePolicy?: FailurePolicy;
  /** A clock that never goes back, in milliseconds; `performance.now` unless a test says otherwise. */
  readonly monotonicNow?: () => number;
}

export interface JudgeContext {
  readonly namespaceLabels: Labels | undefined;
  readonly now: number;
}

/** What background audit has to say about an object that already exists. */
export interface AuditVerdict {
  readonly findings: readonly Finding[];
  readonly exempted: readonly Exempted[];
  /** Every policy that was held against the object, in order. */
  readonly matched: readonly string[];
}

/** A policy or exception that could not be compiled. */
export interface PolicySetProblem {
  readonly kind: "ShieldPolicy" | "ShieldException";
  /** `namespace/name` for an exception. */
  readonly name: string;
  readonly generation: number;
  readonly error: PolicyCompileError;
  /** The last version that compiled is still in force. */
  readonly keepsLastGood: boolean;
}

interface Question {
  readonly subject: MatchSubject;
  readonly object: unknown;
  readonly kind: string;
  readonly namespace: string;
  readonly username: string | undefined;
  readonly pod: ExtractedPod | undefined;
  readonly reading: PodReading;
  readonly about: MessageSubject;
  readonly context: JudgeContext;
  readonly isLate: () => boolean;
  readonly judged: Map<string, readonly Violation[]>;
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
  readonly problems: readonly PolicySetProblem[];
  /** What `latest` meant when it was built. */
  readonly serverMinor: number;
  readonly #byName: ReadonlyMap<string, CompiledPolicy>;
  readonly #neverJudged: ReadonlySet<string>;
  readonly #exceptions: ReadonlyMap<string, readonly CompiledException[]>;
  readonly #admission: ReadonlyMap<string, readonly CompiledPodSecurityPolicy[]>;
  readonly #background: ReadonlyMap<string, readonly CompiledPodSecurityPolicy[]>;

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
    const podSecurity = parts.policies.filter((policy) => policy.engine === "podSecurity");
    this.#admission = indexBy(podSecurity, (policy) => policy.admission !== "off", true);
    this.#background = indexBy(podSecurity, (policy) => policy.background === "audit", false);
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
    const { resource, operation } = request;
    const key = indexKey(resource.group, resource.resource, request.subResource ?? "", operation);
    const candidates = this.#admission.get(key);
    if (candidates === undefined || this.#neverJudged.has(request.namespace ?? "")) return nothingToSay;
    if (operation === "UPDATE" && mustPass(request)) return nothingToSay;

    const question = this.#questionOf(request, context);
    const builder = new VerdictBuilder();
    for (const policy of candidates) {
      if (context.failurePolicy !== undefined && policy.failurePolicy !== context.failurePolicy) continue;
      if (policy.admission === "off") continue;
      this.#hold(policy, policy.admission, question, builder);
    }
    return builder.verdict();
  }

  /** Holds the policies with background audit against an object that already exists. Never throws. */
  judge(object: unknown, context: JudgeContext): AuditVerdict {
    const carrier = podCarrierOf(object);
    const namespace = stringOf(metadataOf(object)?.namespace);
    const candidates = carrier && this.#background.get(indexKey(carrier.group, carrier.resource, "", ""));
    const isLeftAlone = this.#neverJudged.has(namespace) || isBeingDeleted(object);
    if (candidates === undefined || isLeftAlone || !isJsonObject(object)) return nothingFound;

    const version = stringOf(object.apiVersion).split("/").at(-1) ?? "";
    const asIf = (operation: string): AdmissionRequestLike => ({
      uid: "",
      kind: { group: carrier?.group ?? "", version, kind: carrier?.kind ?? "" },
      resource: { group: carrier?.group ?? "", version, resource: carrier?.resource ?? "" },
      name: nameOf(object),
      namespace,
      operation,
      userInfo: {},
      object,
    });
    const question = this.#questionOf(asIf("CREATE"), context);
    const onUpdate = matchSubject(asIf("UPDATE"), context.namespaceLabels);
    const builder = new VerdictBuilder();
    for (const policy of candidates) {
      const subject = policy.match.answer(question.subject) === "no" ? onUpdate : question.subject;
      this.#hold(policy, "audit", { ...question, subject }, builder);
    }
    const { audits, exempted, matched } = builder.verdict();
    return { findings: audits, exempted, matched };
  }

  /** What the webhook has to be registered for, so that the policies with this failurePolicy are reached. */
  rules(failurePolicy: FailurePolicy): WebhookMatch {
    const served = this.policies.filter(
      (policy) =>
        policy.engine === "podSecurity" &&
        policy.admission !== "off" &&
        policy.failurePolicy === failurePolicy,
    );
    return webhookMatchOf(served as CompiledPodSecurityPolicy[], [...this.#neverJudged]);
  }

  #questionOf(request: AdmissionRequestLike, context: EvaluationContext): Question {
    const { object } = request;
    const pod = extractPodSpec(object);
    const clock = context.monotonicNow ?? monotonicNow;
    const until = context.deadlineMs === undefined ? Number.POSITIVE_INFINITY : clock() + context.deadlineMs;
    const namespace = request.namespace ?? "";
    return {
      subject: matchSubject(request, context.namespaceLabels),
      object,
      kind: request.kind.kind,
      namespace,
      username: request.userInfo.username,
      pod,
      reading: read(object, pod, request.resource.resource),
      about: {
        kind: request.kind.kind,
        namespace,
        name: displayName(request),
        podPath: pod?.path ?? "",
      },
      context,
      isLate: until === Number.POSITIVE_INFINITY ? never : () => clock() >= until,
      judged: new Map(),
    };
  }

  #hold(
    policy: CompiledPodSecurityPolicy,
    action: FindingAction,
    question: Question,
    builder: VerdictBuilder,
  ): void {
    try {
      this.#apply(policy, action, question, builder);
    } catch (error) {
      builder.add(failure(policy, action, question, "InternalError", `internal error: ${String(error)}`));
    }
  }

  #apply(
    policy: CompiledPodSecurityPolicy,
    action: FindingAction,
    question: Question,
    builder: VerdictBuilder,
  ): void {
    const answer = policy.match.answer(question.subject);
    if (answer === "no") return;
    builder.matched(policy.name);
    if (answer === "namespaceUnknown") {
      const problem = `the labels of namespace "${question.namespace}" are not known`;
      builder.add(failure(policy, action, question, "NamespaceUnknown", problem));
      return;
    }
    const ground = exemptionGround(policy.exemptions, {
      username: question.username,
      namespace: question.namespace,
      runtimeClassName: question.reading.pod?.runtimeClassName,
    });
    if (ground !== undefined) {
      builder.exempt({ policy: policy.name, ground, violations: [] });
      return;
    }
    const violations = violationsOf(policy, question);
    if (violations === undefined) {
      builder.add(failure(policy, action, question, "DeadlineExceeded", "time ran out; try again"));
      return;
    }
    if (violations.length === 0) return;
    const remaining = this.#withoutExcepted(policy, violations, question, builder);
    if (remaining.length === 0) return;
    builder.add({
      policy: policy.name,
      action,
      code: remaining[0]?.checkId === "malformed" ? "MalformedObject" : "PolicyViolation",
      message: violationMessage(policy, action, question.about, remaining),
      violations: remaining,
    });
  }

  #withoutExcepted(
    policy: CompiledPodSecurityPolicy,
    violations: readonly Violation[],
    question: Question,
    builder: VerdictBuilder,
  ): readonly Violation[] {
    const candidates = this.#exceptions.get(exceptionKey(policy.name, question.namespace)) ?? [];
    let remaining = violations;
    for (const exception of candidates) {
      if (!exception.covers(question.object, question.kind)) continue;
      const { now, namespaceLabels } = question.context;
      if (!standingOf(policy.exceptions, exception, now, namespaceLabels).honoured) continue;
      const isSetAside = ({ checkId }: Violation) =>
        checkId !== "malformed" && (exception.checks === undefined || exception.checks.has(checkId));
      const setAside = remaining.filter(isSetAside);
      if (setAside.length === 0) continue;
      builder.exempt({
        policy: policy.name,
        ground: "exception",
        exception: exception.key,
        violations: setAside,
      });
      remaining = remaining.filter((violation) => !isSetAside(violation));
    }
    return remaining;
  }
}

const nothingFound: AuditVerdict = Object.freeze({
  findings: Object.freeze([]),
  exempted: Object.freeze([]),
  matched: Object.freeze([]),
});

function never(): boolean {
  return false;
}

function monotonicNow(): number {
  return performance.now();
}

/** Undefined when time ran out. Policies of one level and edition share the result. */
function violationsOf(
  policy: CompiledPodSecurityPolicy,
  question: Question,
): readonly Violation[] | undefined {
  const { reading } = question;
  if (reading.pod === undefined) return policy.level === "privileged" ? [] : [malformed(reading.problems)];
  const key = `${policy.level}:${policy.minor}`;
  const known = question.judged.get(key);
  if (known !== undefined) return known;
  const verdict = judgePod(reading.pod, policy.level, policy.minor, question.isLate);
  if (verdict !== undefined) question.judged.set(key, verdict.violations);
  return verdict?.violations;
}

/** A workload that carries no template (a ReplicationController may not) makes no Pods and so breaks nothing. */
function read(object: unknown, pod: ExtractedPod | undefined, resource: string): PodReading {
  if (pod !== undefined) return readPod(pod.metadata, pod.spec);
  if (podCarrierOf(object) !== undefined) return readPod(undefined, {});
  return { problems: [`a request about ${resource} must carry an object of that kind`] };
}

/** What must get through whatever the policies say: see "Never trap existing objects" in the package's README. */
function mustPass(request: AdmissionRequestLike): boolean {
  return isBeingDeleted(request.oldObject) || podJudgementUnchanged(request.oldObject, request.object);
}

function isBeingDeleted(object: unknown): boolean {
  const timestamp = metadataOf(object)?.deletionTimestamp;
  return timestamp !== undefined && timestamp !== null;
}

/** By failurePolicy Fail the failure counts like a violation, by Ignore it is only noted (as ValidatingAdmissionPolicy does). */
function failure(
  policy: CompiledPodSecurityPolicy,
  action: FindingAction,
  question: Question,
  code: Finding["code"],
  problem: string,
): Finding {
  return {
    policy: policy.name,
    action: policy.failurePolicy === "Fail" ? action : "audit",
    code,
    message: errorMessage(policy, question.about, problem),
    violations: [],
  };
}

function displayName(request: AdmissionRequestLike): string {
  if (request.name !== undefined && request.name !== "") return request.name;
  const metadata = metadataOf(request.object);
  if (typeof metadata?.name === "string" && metadata.name !== "") return metadata.name;
  return typeof metadata?.generateName === "string" ? `${metadata.generateName}*` : "";
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

function indexKey(group: string, resource: string, subresource: string, operation: string): string {
  return `${operation} ${group}/${resource}/${subresource}`;
}

const judgedResources = [
  ...podCarriers.map(({ group, resource }) => ({ group, resource, subresource: "" })),
  { group: "", resource: "pods", subresource: "ephemeralcontainers" },
];

function indexBy(
  policies: readonly CompiledPodSecurityPolicy[],
  isWanted: (policy: CompiledPodSecurityPolicy) => boolean,
  byOperation: boolean,
): Map<string, CompiledPodSecurityPolicy[]> {
  const index = new Map<string, CompiledPodSecurityPolicy[]>();
  for (const { group, resource, subresource } of judgedResources) {
    for (const operation of byOperation ? ["CREATE", "UPDATE"] : [""]) {
      const reached = policies.filter(
        (policy) =>
          isWanted(policy) &&
          policy.match.resourceRules.some(
            (rule) =>
              (policy.match.matchPolicy === "Exact" || coversResource(rule, group, resource, subresource)) &&
              (operation === "" || coversOperation(rule, operation)),
          ),
      );
      if (reached.length > 0) index.set(indexKey(group, resource, subresource, operation), reached);
    }
  }
  return index;
}
