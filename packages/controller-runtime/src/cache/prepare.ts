import type { KubeObject, ManagedFieldsEntry, ObjectMeta } from "../kubernetes/objects.ts";
import { apiVersionOf, type ResourceType } from "../kubernetes/resource-type.ts";
import { Sharing } from "./sharing.ts";

export interface PrepareOptions<T extends KubeObject> {
  type: ResourceType<T>;
  metadataOnly?: boolean;
  /** Keep this manager's entries of managedFields; everybody else's always go. */
  keepManagedFieldsOf?: string;
  /** May change the object in place or return another; runs once per state, before anything sees it. */
  transform?: (object: T) => T;
}

/**
 * What an object goes through before it is cached. managedFields are the larger part of many objects and of no
 * use to readers, except that a manager needs its own to see whether an apply would change anything.
 */
export function preparing<T extends KubeObject>(options: PrepareOptions<T>): (object: T) => T {
  const { type, transform, metadataOnly = false, keepManagedFieldsOf } = options;
  const apiVersion = apiVersionOf(type);
  const sharing = new Sharing();
  return (object) => {
    const metadata = withoutManagedFields(object.metadata, keepManagedFieldsOf);
    let prepared: T = object;
    if (metadataOnly) {
      prepared = { apiVersion, kind: type.kind, metadata } as T;
    } else if (metadata !== object.metadata) {
      prepared.metadata = metadata;
    }
    if (transform !== undefined) prepared = transform(prepared);
    sharing.share(prepared);
    return prepared;
  };
}

/**
 * A copy of `metadata` with only `manager`'s entries of managedFields, or `metadata` itself if it has none to
 * drop. Copied rather than deleted from: deleting turns a V8 object into a slow and large dictionary.
 */
export function withoutManagedFields(metadata: ObjectMeta, manager: string | undefined): ObjectMeta {
  const entries = metadata.managedFields;
  if (entries === undefined) return metadata;
  const kept: Record<string, unknown> = {};
  for (const name in metadata) {
    if (name !== "managedFields") kept[name] = (metadata as unknown as Record<string, unknown>)[name];
  }
  const own: ManagedFieldsEntry[] =
    manager === undefined ? [] : entries.filter((entry) => entry.manager === manager);
  if (own.length > 0) kept.managedFields = own;
  return kept as unknown as ObjectMeta;
}
