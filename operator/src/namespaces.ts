import { Namespace, type ReconcileContext } from "@shieldx/controller-runtime";

/** Labels of a namespace, or undefined when it is not (yet) in the cache. */
export function namespaceLabels(
  context: Pick<ReconcileContext, "get">,
  name: string,
): Readonly<Record<string, string>> | undefined {
  const namespace = context.get(Namespace, { name });
  return namespace === undefined ? undefined : (namespace.metadata.labels ?? {});
}
