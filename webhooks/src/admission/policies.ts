import type { EventRecorder } from "@shieldx/controller-runtime";
import type { FailurePolicy, Finding, Labels, PolicySet, Verdict } from "@shieldx/policy-engine";
import type { AdmissionAnswer, AdmissionRequest } from "../server/admission-review.ts";
import type { AdmissionHandler } from "../server/webhook-server.ts";
import type { AdmissionMetrics, Decision } from "./metrics.ts";
import { controllerOf } from "./owner.ts";

export interface PolicyHandlerParts {
  readonly failurePolicy: FailurePolicy;
  /** The set in force; undefined until the first is complete. */
  readonly policySet: () => PolicySet | undefined;
  /** Labels of a namespace; undefined when they cannot be had within `timeoutMs`. */
  readonly namespaceLabels: (namespace: string, timeoutMs: number) => Promise<Labels | undefined>;
  readonly now: () => number;
  readonly metrics: AdmissionMetrics;
  readonly events: EventRecorder;
}

const longestMessage = 16_384;
const longestNote = 1_024;
/** Left for the policies when a namespace has to be looked up first. */
const shareForLookup = 0.5;

/** Holds the policies of one failurePolicy against each request. */
export function policyHandler(parts: PolicyHandlerParts): AdmissionHandler {
  return async (request, { deadlineMs }) => {
    const startedAt = performance.now();
    const set = parts.policySet();
    // Not ready, yet asked: failurePolicy must decide, and it does when the request fails.
    if (set === undefined) throw new Error("no policy set has been loaded yet");
    const { namespace } = request;
    const namespaceLabels =
      namespace === undefined
        ? undefined
        : await parts.namespaceLabels(namespace, deadlineMs * shareForLookup);
    const verdict = set.evaluate(request, {
      namespaceLabels,
      now: parts.now(),
      deadlineMs: Math.max(1, deadlineMs - (performance.now() - startedAt)),
      failurePolicy: parts.failurePolicy,
    });
    parts.metrics.evaluation.observe(
      { failure_policy: parts.failurePolicy.toLowerCase() },
      (performance.now() - startedAt) / 1000,
    );
    count(parts.metrics, set, verdict);
    if (!verdict.allowed && request.dryRun !== true) tellOwner(parts.events, request, verdict);
    return answerOf(verdict);
  };
}

/** What the client and the audit log get to know of a verdict. */
export function answerOf(verdict: Verdict): AdmissionAnswer {
  const annotations = {
    ...annotation("denied", verdict.denials),
    ...annotation("warned", verdict.warnings),
    ...annotation("audited", verdict.audits),
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

/** A violation is final; where only evaluation failed, trying again may help and the code says so. */
function statusOf(denials: readonly Finding[]): { code: number; reason: string; message: string } {
  const joined = denials.map(({ message }) => message).join("\n");
  const message =
    joined.length <= longestMessage ? joined : `${joined.slice(0, longestMessage - 1).toWellFormed()}…`;
  if (denials.some(({ code }) => code === "PolicyViolation"))
    return { code: 403, reason: "Forbidden", message };
  if (denials.some(({ code }) => code === "MalformedObject"))
    return { code: 422, reason: "Invalid", message };
  return { code: 503, reason: "ServiceUnavailable", message };
}

function count(metrics: AdmissionMetrics, set: PolicySet, verdict: Verdict): void {
  if (verdict.matched.length === 0) return;
  const decided = new Map<string, Decision>(verdict.matched.map((policy) => [policy, "allowed"]));
  for (const { policy } of verdict.exempted) decided.set(policy, "exempted");
  const found: readonly (readonly [Decision, readonly Finding[]])[] = [
    ["audited", verdict.audits],
    ["warned", verdict.warnings],
    ["denied", verdict.denials],
  ];
  for (const [decision, findings] of found) {
    for (const { policy, code } of findings) {
      decided.set(policy, code === "PolicyViolation" || code === "MalformedObject" ? decision : "error");
    }
  }
  for (const [policy, decision] of decided) {
    metrics.decided(policy, set.policy(policy)?.admission ?? "off", decision);
  }
}

/** RFC 1123 subdomain, as every name here is; empty on a create with generateName. */
function isNameOrAbsent(name: string | undefined): boolean {
  return name === undefined || name === "" || /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(name);
}

function tellOwner(events: EventRecorder, request: AdmissionRequest, verdict: Verdict): void {
  const owner = controllerOf(request.object, request.namespace);
  if (owner === undefined || ![owner.name, request.name, request.namespace].every(isNameOrAbsent)) return;
  const [first, ...others] = verdict.denials;
  if (first === undefined) return;
  const more = others.length === 0 ? "" : ` (and ${others.length} more policies)`;
  // Whoever reaches the port may send a review, so nothing of it that could be prose goes into an Event.
  const checks = first.violations.map(({ checkId }) => checkId).join(", ") || first.code;
  const note = `ShieldPolicy "${first.policy}" refuses ${request.name || "a new object"}: ${checks}${more}. The answer to the request names the fields.`;
  events.event(owner, {
    type: "Warning",
    reason: "PolicyViolation",
    action: "Refuse",
    note: note.length <= longestNote ? note : `${note.slice(0, longestNote - 1).toWellFormed()}…`,
  });
}
