import { Namespace, type ReconcileContext } from "@shieldx/controller-runtime";

/** Namespaces in which nothing is made or deleted on behalf of policies: those of Kubernetes itself, and ShieldX's own. */
export function isLeftAloneNamespace(name: string, ownNamespaces: readonly string[]): boolean {
  return name.startsWith("kube-") || ownNamespaces.includes(name);
}

/** Labels of a namespace, or undefined when it is not (yet) in the cache. */
export function namespaceLabels(
  context: Pick<ReconcileContext, "get">,
  name: string,
): Readonly<Record<string, string>> | undefined {
  const namespace = context.get(Namespace, { name });
  return namespace === undefined ? undefined : (namespace.metadata.labels ?? {});
}
