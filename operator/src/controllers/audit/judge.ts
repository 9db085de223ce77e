import type { KubeObject } from "@shieldx/controller-runtime";
import type { PolicySet } from "@shieldx/policy-engine";
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

/** Holds the policies against one object. */
export function judgeObject(
  set: PolicySet,
  object: KubeObject,
  namespaceLabels: Readonly<Record<string, string>> | undefined,
  now: number,
): Judgement {
  const { findings, exempted, matched } = set.judge(object, { namespaceLabels, now });
  const refused = new Set(findings.map((finding) => finding.policy));
  return {
    matched,
    findings: findings.map(({ policy, message, violations }) => ({
      policy,
      message,
      violations: violations.map(({ checkId, detail, reason }) => ({ checkId, detail: detail || reason })),
    })),
    // Let off for good: by an exception, and nothing left to hold against it.
    exempted: [
      ...new Set(
        exempted
          .filter(({ policy, ground }) => ground === "exception" && !refused.has(policy))
          .map(({ policy }) => policy),
      ),
    ],
  };
}

/**
 * What is kept of an object in the cache: all that a judgement can depend on. Status and the bookkeeping of apply are
 * most of a Pod's bytes and are dropped.
 */
export function slim<T extends KubeObject>(object: T): T {
  const { status: _status, ...rest } = object;
  const { managedFields: _managed, ...metadata } = object.metadata;
  return { ...rest, metadata } as unknown as T;
}
