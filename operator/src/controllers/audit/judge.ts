import type { KubeObject, ResourceType } from "@shieldx/controller-runtime";
import { type AuditVerdict, type JudgeContext, judgedParts, type PolicySet } from "@shieldx/policy-engine";
import type { Judgement } from "./finding.ts";

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
  const warning = findings.length === 0 ? none : warningPolicies(set);
  return {
    matched,
    errors: found.length - findings.length,
    findings: findings.map(({ policy, message, violations }) => ({
      policy,
      result: warning.has(policy) ? "warn" : "fail",
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
    exceptions: [...new Set(exempted.flatMap(({ exception }) => exception ?? []))],
  };
}

const none: ReadonlySet<string> = new Set();
const warningBySet = new WeakMap<PolicySet, ReadonlySet<string>>();

/** Policies that warn of what breaks them and let it in. */
function warningPolicies(set: PolicySet): ReadonlySet<string> {
  const known = warningBySet.get(set);
  if (known !== undefined) return known;
  const warning = set.policies.filter(({ source }) => source.spec.actions?.admission === "warn");
  const names = new Set(warning.map(({ name }) => name));
  warningBySet.set(set, names);
  return names;
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
