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
  StatefulSet,
} from "@shieldx/controller-runtime";
import { effectiveBackground, type ShieldPolicySpec } from "@shieldx/crds";
import { podSecurityCalls } from "../webhook-configuration/rules.ts";

/** Kinds the podSecurity engine can judge. */
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

/** Kinds that some policy audits in the background: only these are cached. */
export function kindsToAudit(policies: readonly ShieldPolicySpec[]): ResourceType[] {
  const wanted = new Set<string>();
  for (const spec of policies) {
    if (spec.engine !== "podSecurity" || effectiveBackground(spec) !== "audit") continue;
    for (const { apiGroup, resource } of podSecurityCalls(spec.matchConstraints?.resourceRules)) {
      wanted.add(`${apiGroup}/${resource.split("/")[0]}`);
    }
  }
  return AUDITED_KINDS.filter((type) => wanted.has(`${type.group}/${type.plural}`));
}
