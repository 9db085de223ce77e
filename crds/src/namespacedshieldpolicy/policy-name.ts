/**
 * How policies of either kind are called where they stand side by side: a ShieldPolicy by its name, a
 * NamespacedShieldPolicy as `namespace/name`. No name of an object holds a slash, so that none of the one kind can pass
 * for one of the other.
 */

/** What a NamespacedShieldPolicy is called. */
export function tenantPolicyName(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

/** The namespace of the NamespacedShieldPolicy that is called so; undefined for a ShieldPolicy. */
export function namespaceOfPolicy(policy: string): string | undefined {
  const slash = policy.indexOf("/");
  return slash < 0 ? undefined : policy.slice(0, slash);
}

/** `ShieldPolicy "name"` or `NamespacedShieldPolicy "namespace/name"`, for people. */
export function policyTitle(policy: string): string {
  return `${namespaceOfPolicy(policy) === undefined ? "ShieldPolicy" : "NamespacedShieldPolicy"} "${policy}"`;
}
