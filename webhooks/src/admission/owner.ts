import type { ObjectReference } from "@shieldx/controller-runtime";

/**
 * The controller that owns an object (the ReplicaSet of a Pod), as Events refer to it: when a Pod is refused it is the
 * only trace a person finds. Undefined where there is none, or where it is not described completely.
 */
export function controllerOf(object: unknown, namespace: string | undefined): ObjectReference | undefined {
  const owners = (object as { metadata?: { ownerReferences?: unknown } | null } | undefined)?.metadata
    ?.ownerReferences;
  if (!Array.isArray(owners)) return undefined;
  for (const owner of owners.slice(0, 32)) {
    const { apiVersion, kind, name, uid, controller } = (owner ?? {}) as Record<string, unknown>;
    if (controller !== true) continue;
    if (
      ![apiVersion, kind, name, uid].every(
        (value) => typeof value === "string" && value !== "" && value.length <= 253,
      )
    ) {
      return undefined;
    }
    return {
      apiVersion: String(apiVersion),
      kind: String(kind),
      name: String(name),
      uid: String(uid),
      ...(namespace === undefined ? {} : { namespace }),
    };
  }
  return undefined;
}
