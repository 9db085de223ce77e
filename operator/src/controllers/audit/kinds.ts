import {
  CronJob,
  DaemonSet,
  Deployment,
  Job,
  Pod,
  PodTemplate,
  ReplicaSet,
  ReplicationController,
  type ResourceType,
  resourceTypeKey,
  StatefulSet,
} from "@shieldx/controller-runtime";
import { effectiveBackground, namespaceOfPolicy, type ShieldPolicySpec } from "@shieldx/crds";
import type { CompiledPolicy } from "@shieldx/policy-engine";
import { podSecurityCalls } from "../webhook-configuration/rules.ts";
import type { CachedKind } from "./caches.ts";
import type { NamedKinds, NamingPolicy } from "./named-kinds.ts";

/** Kinds that engines podSecurity and images can judge. */
export const AUDITED_KINDS: readonly ResourceType[] = [
  Pod,
  PodTemplate,
  ReplicationController,
  ReplicaSet,
  Deployment,
  StatefulSet,
  DaemonSet,
  Job,
  CronJob,
];

/** Built-in kinds that some policy of the engine audits in the background: only these are cached. */
export function kindsToAudit(
  policies: readonly ShieldPolicySpec[],
  engine: "podSecurity" | "images" = "podSecurity",
): ResourceType[] {
  const wanted = new Set<string>();
  for (const spec of policies) {
    if (spec.engine !== engine || effectiveBackground(spec) !== "audit") continue;
    for (const { apiGroup, resource } of podSecurityCalls(spec.matchConstraints?.resourceRules)) {
      wanted.add(`${apiGroup}/${resource.split("/")[0]}`);
    }
  }
  return AUDITED_KINDS.filter((type) => wanted.has(`${type.group}/${type.plural}`));
}

/** Policies that name the kinds they audit in the background, those of the cluster first. */
export function namingPolicies(policies: readonly CompiledPolicy[]): NamingPolicy[] {
  const isOfTenant = ({ name }: CompiledPolicy) => namespaceOfPolicy(name) !== undefined;
  return [...policies.filter((policy) => !isOfTenant(policy)), ...policies.filter(isOfTenant)]
    .filter(({ engine, background }) => (engine === "cel" || engine === "rego") && background === "audit")
    .map(({ name, source }) => ({ name, resourceRules: source.spec.matchConstraints?.resourceRules ?? [] }));
}

/**
 * Each kind once; whole where a policy looks at more than the Pod Security Standards do. What only tenants name is held in
 * their namespaces only.
 */
export function cachedKinds(
  judgedByPart: readonly ResourceType[],
  judgedWhole: readonly ResourceType[],
  named: NamedKinds["ofPolicy"],
): CachedKind[] {
  const kinds = new Map<string, CachedKind>(
    judgedByPart.map((type) => [resourceTypeKey(type), { type, isWhole: false }]),
  );
  const ofCluster = [...named].filter(([policy]) => namespaceOfPolicy(policy) === undefined);
  for (const type of [...judgedWhole, ...ofCluster.flatMap(([, types]) => types)])
    kinds.set(resourceTypeKey(type), { type, isWhole: true });
  const wholeEverywhere = new Set([...kinds].filter(([, { isWhole }]) => isWhole).map(([key]) => key));
  for (const [policy, types] of named) {
    const namespace = namespaceOfPolicy(policy);
    if (namespace === undefined) continue;
    for (const type of types) {
      const key = resourceTypeKey(type);
      if (type.namespaced && !wholeEverywhere.has(key))
        kinds.set(`${key}@${namespace}`, { type, isWhole: true, namespace });
    }
  }
  return [...kinds.values()];
}
