import type { KubeObject, ResourceType } from "@shieldx/controller-runtime";
import {
  type AuditVerdict,
  flatCopy,
  type JudgeContext,
  judgedParts,
  type PolicySet,
} from "@shieldx/policy-engine";
import type { AuditedObject, Judgement } from "./audit-index.ts";

/** What findings and reports need to name an object by. */
export function auditedObject(object: KubeObject): AuditedObject {
  const { name, namespace = "", uid = "", ownerReferences = [] } = object.metadata;
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    namespace,
    name,
    uid,
    controllerUid: ownerReferences.find((owner) => owner.controller === true)?.uid,
  };
}

/** One object must not hold up all others, nor what else the process does. */
const longestJudgementMs = 200;

/** What there is to ask before the object is judged. */
export interface Asking {
  readonly asks: AuditVerdict["asks"];
}

/** Holds the policies against one object. */
export function judgeObject(
  set: PolicySet,
  type: ResourceType,
  object: KubeObject,
  namespace: KubeObject | undefined,
  now: number,
  lookedAt: Pick<JudgeContext, "params" | "inventory" | "calls" | "images" | "tenants"> = {},
): Judgement | Asking {
  const resource = { group: type.group, version: type.version, resource: type.plural };
  const {
    findings: found,
    exempted,
    matched,
    asks,
  } = set.judge(object, {
    namespaceLabels: namespace && (namespace.metadata.labels ?? {}),
    namespaceObject: namespace,
    ...lookedAt,
    deadlineMs: longestJudgementMs,
    now,
    resource,
  });
  if (asks.length > 0) return { asks };
  // What came to no verdict is no finding: see `errors`.
  const findings = found.filter(({ code }) => code === "PolicyViolation" || code === "MalformedObject");
  const refused = new Set(findings.map((finding) => finding.policy));
  return {
    matched,
    errors: found.length - findings.length,
    // They are kept for as long as the object offends: copies, or each would keep the object it quotes.
    findings: findings.map(({ policy, message, violations }) => ({
      policy,
      message: flatCopy(message),
      violations: violations.map(({ checkId, detail, reason }) => ({
        checkId,
        detail: flatCopy(detail || reason),
      })),
    })),
    // Let off for good: by an exception, and nothing left to hold against it.
    exempted: [
      ...new Set(
        exempted
          .filter(({ policy, ground }) => ground === "exception" && !refused.has(policy))
          .map(({ policy }) => policy),
      ),
    ],
    exceptions: [...new Set(exempted.flatMap(({ exception }) => exception ?? []))],
  };
}

/**
 * What is kept of an object in the cache: all that a judgement, a selector or a report can depend on, a tenth of a Pod's
 * bytes. A new object, because the cache goes on to share what it has in common with others.
 */
export function slim<T extends KubeObject>(object: T): T {
  const { metadata, ...parts } = judgedParts(object);
  const { name, namespace, uid, resourceVersion, deletionTimestamp, labels, annotations, ownerReferences } =
    metadata;
  const kept = { namespace, uid, resourceVersion, deletionTimestamp, labels, annotations, ownerReferences };
  const isSet = ([, value]: [string, unknown]) => value !== undefined;
  return {
    ...parts,
    metadata: { name, ...Object.fromEntries(Object.entries(kept).filter(isSet)) },
  } as unknown as T;
}
