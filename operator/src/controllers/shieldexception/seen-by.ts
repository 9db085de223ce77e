import { type ShieldPolicy, validates } from "@shieldx/crds";

const auditedOperations: ReadonlySet<string> = new Set(["CREATE", "UPDATE", "*"]);

/**
 * Whether the background audit, which looks at what exists as if it were created or updated, can see that a policy's
 * exceptions are needed: not where the policy is about deletions, connections and subresources only, or judges nothing.
 */
export function isSeenByAudit({ spec }: Pick<ShieldPolicy, "spec">): boolean {
  if (!validates(spec)) return false;
  const rules = spec.matchConstraints?.resourceRules ?? [];
  // Of engine podSecurity: the built-in workload kinds.
  if (rules.length === 0) return true;
  return rules.some(
    ({ operations, resources }) =>
      operations.some((operation) => auditedOperations.has(operation)) &&
      resources.some((resource) => !resource.includes("/") || resource === "*/*"),
  );
}
