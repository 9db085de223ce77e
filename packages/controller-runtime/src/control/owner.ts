import type { KubeObject, ObjectKey, OwnerReference } from "../kubernetes/objects.ts";
import { apiVersionOf, type ResourceType } from "../kubernetes/resource-type.ts";

/**
 * Maps an object to its owners of type `owner`, for a watch on what a controller creates. Owners match by
 * group and kind, so that a reference written under another version still counts.
 *
 * @param options.anyOwner also owners whose reference is not marked `controller: true`.
 */
export function enqueueOwner(
  owner: ResourceType,
  options: { readonly anyOwner?: boolean } = {},
): (object: KubeObject) => ObjectKey[] {
  return (object) => {
    const references = object.metadata.ownerReferences ?? [];
    return references
      .filter((reference) => isReferenceTo(owner, reference) && (options.anyOwner || reference.controller))
      .map((reference) =>
        owner.namespaced && object.metadata.namespace !== undefined
          ? { namespace: object.metadata.namespace, name: reference.name }
          : { name: reference.name },
      );
  };
}

/** The reference that makes `owner` the controller of an object: it is deleted with it. */
export function controllerReference(type: ResourceType, owner: KubeObject): OwnerReference {
  const { name, uid } = owner.metadata;
  if (uid === undefined) {
    throw new TypeError(
      `${type.kind} "${name}" has no uid; an owner must be an object read from the API server`,
    );
  }
  return {
    apiVersion: apiVersionOf(type),
    kind: type.kind,
    name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

function isReferenceTo(owner: ResourceType, reference: OwnerReference): boolean {
  const slash = reference.apiVersion.lastIndexOf("/");
  const group = slash < 0 ? "" : reference.apiVersion.slice(0, slash);
  return reference.kind === owner.kind && group === owner.group;
}
