/** Which kinds a ShieldGenerator may keep in namespaces. */

export interface GeneratedKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
}

/**
 * Kinds that bound what a namespace may do, and plain settings. Never Secrets (their content would stand in the generator for
 * all who read it), nothing that grants rights, and nothing that runs.
 */
export const GENERATED_KINDS: readonly GeneratedKind[] = [
  { group: "networking.k8s.io", version: "v1", kind: "NetworkPolicy", plural: "networkpolicies" },
  { group: "", version: "v1", kind: "ResourceQuota", plural: "resourcequotas" },
  { group: "", version: "v1", kind: "LimitRange", plural: "limitranges" },
  { group: "policy", version: "v1", kind: "PodDisruptionBudget", plural: "poddisruptionbudgets" },
  { group: "", version: "v1", kind: "ConfigMap", plural: "configmaps" },
];

/** What the operator does with them. */
export const GENERATION_VERBS = ["create", "delete", "list", "patch", "watch"] as const;

/** The kind of an object to generate; undefined where it may not be generated. */
export function generatedKindOf(apiVersion: unknown, kind: unknown): GeneratedKind | undefined {
  return GENERATED_KINDS.find(
    (each) =>
      each.kind === kind &&
      (each.group === "" ? each.version : `${each.group}/${each.version}`) === apiVersion,
  );
}
