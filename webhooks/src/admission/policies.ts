import type { KubeObject, Logger } from "@shieldx/controller-runtime";
import type { EvaluationContext, FailurePolicy, Finding, PolicySet, Verdict } from "@shieldx/policy-engine";
import type { AdmissionAnswer, AdmissionRequest } from "../server/admission-review.ts";
import type { AdmissionHandler } from "../server/webhook-server.ts";
import { type OpenGlass, type Suspension, setAside } from "./break-glass.ts";
import type { AdmissionMetrics, Decision } from "./metrics.ts";
import { type Outside, OutsideAnswers } from "./outside-answers.ts";
import type { RefusalTeller } from "./refusals.ts";
import type { Rollouts } from "./rollouts.ts";

/** Undefined when there is none, or it cannot be had within `timeoutMs`. `uid` is of the review that asks. */
export type FindNamespace = (name: string, timeoutMs: number, uid: string) => Promise<KubeObject | undefined>;

export interface PolicyHandlerParts extends Outside {
  readonly failurePolicy: FailurePolicy;
  /** The set in force; undefined until the first is complete. */
  readonly policySet: () => PolicySet | undefined;
  readonly findNamespace: FindNamespace;
  /** Other objects that policies look at. */
  readonly lookedAt?: Pick<EvaluationContext, "params" | "inventory" | "tenants">;
  readonly now: () => number;
  readonly metrics: AdmissionMetrics;
  readonly refusals: RefusalTeller;
  /** An exception, `namespace/name`, let a request pass. */
  readonly exceptionUsed?: (key: string) => void;
  /** The ShieldBreakGlass by which nothing is refused by the policy now. */
  readonly brokenBy?: ((policy: string) => OpenGlass | undefined) | undefined;
  /** A request passed that would have been refused. */
  readonly letPass?: ((request: AdmissionRequest, suspensions: readonly Suspension[]) => void) | undefined;
  /** Given to one of two handlers: who is called for both failurePolicies is to be counted once. */
  readonly rollouts?: Pick<Rollouts, "decided" | "shadow">;
  readonly logger: Logger;
}

const longestMessage = 16_384;
/** Left for the policies when a namespace has to be looked up first. */
export const shareForLookup = 0.5;

/** Holds the policies of one failurePolicy against each request. */
export function policyHandler(parts: PolicyHandlerParts): AdmissionHandler {
  return async (request, { deadlineMs, span, isLarge }) => {
    const startedAt = performance.now();
    const set = parts.policySet();
    // Not ready, yet asked: failurePolicy must decide, and it does when the request fails.
    if (set === undefined) throw new Error("no policy set has been loaded yet");
    const { namespace } = request;
    const namespaceObject =
      namespace === undefined
        ? undefined
        : await parts.findNamespace(namespace, deadlineMs * shareForLookup, request.uid);
    const judged = await decide(set, request, namespaceObject, parts, startedAt + deadlineMs);
    const { verdict, suspensions } = setAside(judged, parts.brokenBy ?? nothingBroken);
    const tookMs = performance.now() - startedAt;
    parts.metrics.evaluation
      .labels({ failure_policy: parts.failurePolicy.toLowerCase() })
      .observe(tookMs / 1000);
    count(parts.metrics, set, verdict, suspensions);
    countExceptions(parts, request, verdict);
    if (verdict.allowed) parts.letPass?.(request, suspensions);
    if (verdict.allowed && suspensions.length > 0) {
      const refusedBy = judged.denials.filter(({ policy }) =>
        suspensions.some((each) => each.policy === policy),
      );
      parts.logger.warn(requestFields(request, refusedBy, tookMs), "let pass, as a ShieldBreakGlass is open");
    }
    // Of a version that refuses too much nobody is to think better meanwhile.
    parts.rollouts?.decided(set, request, judged);
    parts.rollouts?.shadow(set, request, namespaceObject, isLarge);
    span?.set("shieldx.policies", verdict.matched);
    const failed = [...verdict.denials, ...verdict.warnings, ...verdict.audits].filter(isFailure);
    if (failed.length > 0) {
      const fields = { ...requestFields(request, failed, tookMs), problem: failed[0]?.message };
      parts.logger.warn(fields, "policies could not be held against a request; failurePolicy decides");
    }
    if (!verdict.allowed) {
      parts.logger.info(requestFields(request, verdict.denials, tookMs), "refused");
      if (request.dryRun !== true) parts.refusals.tell(request, verdict);
    }
    return answerOf(verdict, suspensions);
  };
}

export const nothingBroken = (): undefined => undefined;

function decide(
  set: PolicySet,
  request: AdmissionRequest,
  namespaceObject: KubeObject | undefined,
  parts: PolicyHandlerParts,
  until: number,
): Promise<Verdict> {
  // The same each time: a call with the time in it would be another.
  const now = parts.now();
  return new OutsideAnswers(parts, request.userInfo).settle(
    (context) =>
      set.evaluation(request, {
        namespaceLabels: namespaceObject && (namespaceObject.metadata.labels ?? {}),
        namespaceObject,
        ...parts.lookedAt,
        now,
        failurePolicy: parts.failurePolicy,
        ...context,
      }),
    until,
  );
}

/** What the client and the audit log get to know of a verdict. */
export function answerOf(verdict: Verdict, suspensions: readonly Suspension[] = []): AdmissionAnswer {
  const annotations = {
    ...Object.fromEntries([...verdict.annotations].map(([key, values]) => [key, values.join(", ")])),
    ...annotation("denied", verdict.denials),
    ...annotation("warned", verdict.warnings),
    ...annotation("audited", verdict.audits),
    ...(suspensions.length === 0
      ? {}
      : {
          "break-glass": suspensions
            .map(({ policy, glass }) => `${policy}: ShieldBreakGlass ${glass.name}`)
            .join("; "),
        }),
    ...(verdict.exempted.length === 0
      ? {}
      : {
          exempted: verdict.exempted
            .map(
              ({ policy, ground, exception }) =>
                `${policy}: ${exception === undefined ? ground : `ShieldException ${exception}`}`,
            )
            .join("; "),
        }),
  };
  const warnings = verdict.warnings.map(({ message }) => message);
  return {
    allowed: verdict.allowed,
    ...(verdict.allowed ? {} : { status: statusOf(verdict.denials) }),
    ...(warnings.length === 0 ? {} : { warnings }),
    ...(Object.keys(annotations).length === 0 ? {} : { auditAnnotations: annotations }),
  };
}

function annotation(key: string, findings: readonly Finding[]): Record<string, string> {
  return findings.length === 0 ? {} : { [key]: findings.map(({ message }) => message).join("\n") };
}

const statusCodes = { Unauthorized: 401, Forbidden: 403, Invalid: 422, RequestEntityTooLarge: 413 } as const;

/** Asking again will not help. */
const isOfRequest: ReadonlySet<Finding["code"]> = new Set([
  ...(["MalformedObject", "EvaluationError", "NotIdempotent", "ForbiddenChange"] as const),
]);

/** A violation is final; where only evaluation failed, trying again may help and the code says so. */
function statusOf(denials: readonly Finding[]): { code: number; reason: string; message: string } {
  const joined = denials.map(({ message }) => message).join("\n");
  const message =
    joined.length <= longestMessage ? joined : `${joined.slice(0, longestMessage - 1).toWellFormed()}…`;
  const violation = denials.find(({ code }) => code === "PolicyViolation");
  if (violation !== undefined) {
    const { statusReason: reason } = violation;
    return { code: statusCodes[reason], reason, message };
  }
  if (denials.some(({ code }) => code === "TooLarge"))
    return { code: statusCodes.RequestEntityTooLarge, reason: "RequestEntityTooLarge", message };
  if (denials.some(({ code }) => isOfRequest.has(code))) return { code: 422, reason: "Invalid", message };
  return { code: 503, reason: "ServiceUnavailable", message };
}

export function count(
  metrics: AdmissionMetrics,
  set: PolicySet,
  verdict: Verdict,
  suspensions: readonly Suspension[] = [],
): void {
  const special = new Map<string, Decision>();
  for (const { policy } of verdict.exempted) special.set(policy, "exempted");
  const found: readonly (readonly [Decision, readonly Finding[]])[] = [
    ["audited", verdict.audits],
    ["warned", verdict.warnings],
    ["denied", verdict.denials],
  ];
  for (const [decision, findings] of found) {
    for (const { policy, code } of findings) {
      special.set(policy, isFailure({ code }) ? "error" : decision);
    }
  }
  for (const { policy } of suspensions) special.set(policy, "suspended");
  const tell = (policy: string, decision: Decision): void =>
    metrics.decided(policy, set.policy(policy)?.admission ?? "off", decision);
  for (const [policy, decision] of special) tell(policy, decision);
  for (const policy of verdict.matched) if (!special.has(policy)) tell(policy, "allowed");
}

/** What another policy refuses, or what is only tried, has not passed. */
export function countExceptions(
  { exceptionUsed }: Pick<PolicyHandlerParts, "exceptionUsed">,
  { dryRun }: Pick<AdmissionRequest, "dryRun">,
  { allowed, exempted }: Pick<Verdict, "allowed" | "exempted">,
): void {
  if (exceptionUsed === undefined || !allowed || dryRun === true || exempted.length === 0) return;
  for (const key of new Set(exempted.flatMap(({ exception }) => exception ?? []))) exceptionUsed(key);
}

/** Not a verdict on the object: evaluation itself did not come to an end. */
export function isFailure({ code }: Pick<Finding, "code">): boolean {
  return code !== "PolicyViolation" && code !== "MalformedObject";
}

const longestName = 253;

export function requestFields(
  request: AdmissionRequest,
  findings: readonly Finding[],
  tookMs: number,
): object {
  const { uid, operation, namespace, name, kind, subResource, dryRun } = request;
  const of = kind.group === "" ? kind.kind : `${kind.kind}.${kind.group}`;
  return {
    uid,
    operation,
    kind: (subResource ? `${of}/${subResource}` : of).slice(0, longestName),
    ...(namespace === undefined ? {} : { namespace: namespace.slice(0, longestName) }),
    ...(name ? { name: name.slice(0, longestName) } : {}),
    ...(dryRun === true ? { dryRun } : {}),
    policies: findings.map(({ policy }) => policy),
    tookMs: Math.round(tookMs * 1000) / 1000,
  };
}
