import { namespaceOfPolicy, type ShieldPolicy } from "@shieldx/crds";
import { byCodePoint } from "../../pod-security/check.ts";
import { PolicyCompileError } from "../errors.ts";

/** Policies of tenants in one namespace; a ResourceQuota can allow fewer. */
export const MAX_TENANT_POLICIES = 32;

/** Policies to take in, and those of tenants that are beyond what their namespace may have. */
export interface BoundedPolicies {
  readonly policies: readonly ShieldPolicy[];
  readonly beyond: readonly ShieldPolicy[];
}

/** The oldest of each namespace stay, so that a new one never puts one out of force that is. */
export function withinBound(all: readonly ShieldPolicy[]): BoundedPolicies {
  const byNamespace = new Map<string, ShieldPolicy[]>();
  for (const policy of all) {
    const namespace = namespaceOfPolicy(policy.metadata.name);
    if (namespace === undefined) continue;
    const others = byNamespace.get(namespace);
    if (others === undefined) byNamespace.set(namespace, [policy]);
    else others.push(policy);
  }
  const beyond = new Set<ShieldPolicy>();
  for (const policies of byNamespace.values()) {
    if (policies.length <= MAX_TENANT_POLICIES) continue;
    for (const policy of policies.sort(byAge).slice(MAX_TENANT_POLICIES)) beyond.add(policy);
  }
  if (beyond.size === 0) return { policies: all, beyond: [] };
  return { policies: all.filter((policy) => !beyond.has(policy)), beyond: [...beyond] };
}

/** Of a policy that is beyond it. */
export function tooManyPolicies(namespace: string): PolicyCompileError {
  return new PolicyCompileError(
    "TooManyPolicies",
    "metadata.namespace",
    `namespace "${namespace}" has more than ${MAX_TENANT_POLICIES} NamespacedShieldPolicies, and the newest are not in force: delete some, or put several rules into one`,
  );
}

function byAge({ metadata: a }: ShieldPolicy, { metadata: b }: ShieldPolicy): number {
  return byCodePoint(
    `${a.creationTimestamp ?? ""} ${a.name} ${a.uid ?? ""}`,
    `${b.creationTimestamp ?? ""} ${b.name} ${b.uid ?? ""}`,
  );
}
