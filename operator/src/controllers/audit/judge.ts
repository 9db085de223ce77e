import { createHash } from "node:crypto";
import type { KubeObject } from "@shieldx/controller-runtime";
import { judgedParts, type PolicySet } from "@shieldx/policy-engine";
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
 * Makes what is kept of objects in the caches: all that a judgement, a selector or a report can depend on. Replicas
 * differ in their names only, so equal rests share one object: a hundred thousand Pods take as much as their templates.
 */
export function createSlimmer(): <T extends KubeObject>(object: T) => T {
  const rests = new Map<string, JudgedRest>();
  return <T extends KubeObject>(object: T): T => {
    const { metadata, ...parts } = judgedParts(object);
    const { name, namespace, uid, resourceVersion, deletionTimestamp, labels, annotations, ownerReferences } =
      metadata;
    const rest = shared(rests, { parts, labels, annotations, ownerReferences });
    return {
      ...rest.parts,
      metadata: {
        name,
        ...(namespace === undefined ? {} : { namespace }),
        ...(uid === undefined ? {} : { uid }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
        ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
        ...(rest.labels === undefined ? {} : { labels: rest.labels }),
        ...(rest.annotations === undefined ? {} : { annotations: rest.annotations }),
        ...(rest.ownerReferences === undefined ? {} : { ownerReferences: rest.ownerReferences }),
      },
    } as unknown as T;
  };
}

interface JudgedRest {
  readonly labels: KubeObject["metadata"]["labels"] | undefined;
  readonly annotations: KubeObject["metadata"]["annotations"] | undefined;
  readonly ownerReferences: KubeObject["metadata"]["ownerReferences"] | undefined;
  readonly parts: object;
}

/** Beyond so many different rests, those seen so far are not shared any more. */
const mostRests = 20_000;

function shared(rests: Map<string, JudgedRest>, rest: JudgedRest): JudgedRest {
  const key = createHash("sha256").update(JSON.stringify(rest)).digest("base64");
  const known = rests.get(key);
  if (known !== undefined) return known;
  if (rests.size >= mostRests) rests.clear();
  rests.set(key, rest);
  return rest;
}
