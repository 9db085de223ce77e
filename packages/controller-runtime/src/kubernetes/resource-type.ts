import type { KubeObject, ObjectKey } from "./objects.ts";

declare const objectType: unique symbol;

/**
 * Where a kind lives in the API: its group, version and plural path. `T` is the object type; it exists for the
 * type checker only, so that `client.get(Lease, …)` returns a `Lease`.
 */
export interface ResourceType<T extends KubeObject = KubeObject> {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  readonly [objectType]?: T;
}

/** Describes a kind. `group` is `""` for the core group. */
export function resourceType<T extends KubeObject = KubeObject>(description: {
  group: string;
  version: string;
  kind: string;
  plural: string;
  namespaced: boolean;
}): ResourceType<T> {
  return Object.freeze({ ...description });
}

/** Of a kind as a CustomResourceDefinition names it. */
export function definedType<T extends KubeObject = KubeObject>({
  group,
  version,
  kind,
  plural,
  scope,
}: {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly scope: "Cluster" | "Namespaced";
}): ResourceType<T> {
  return resourceType<T>({ group, version, kind, plural, namespaced: scope === "Namespaced" });
}

/** `apps/v1`, or `v1` for the core group. */
export function apiVersionOf(type: ResourceType): string {
  return type.group === "" ? type.version : `${type.group}/${type.version}`;
}

/** `pods` or `deployments.apps`: how people and RBAC name it. */
export function groupResourceOf(type: ResourceType): string {
  return type.group === "" ? type.plural : `${type.plural}.${type.group}`;
}

/** Stable identity of a type: `apps/v1/deployments`. */
export function resourceTypeKey(type: ResourceType): string {
  return `${apiVersionOf(type)}/${type.plural}`;
}

/** Whether `object` is of this type, by apiVersion and kind. */
export function isOfType<T extends KubeObject>(type: ResourceType<T>, object: KubeObject): object is T {
  return object.kind === type.kind && object.apiVersion === apiVersionOf(type);
}

/**
 * The store's and work queue's key of an object: `namespace/name`, or `name` when it has no namespace.
 * A name never contains `/`, so the two forms cannot collide.
 */
export function keyOf(object: { metadata: ObjectKey }): string {
  const { name, namespace } = object.metadata;
  return namespace === undefined || namespace === "" ? name : `${namespace}/${name}`;
}

/** {@link keyOf} for a key that is already apart. */
export function keyString(key: ObjectKey): string {
  return key.namespace === undefined || key.namespace === "" ? key.name : `${key.namespace}/${key.name}`;
}

/** The inverse of {@link keyString}. */
export function parseKey(key: string): ObjectKey {
  const slash = key.indexOf("/");
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
