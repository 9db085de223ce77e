/** The names that `@dot-i/k8s-operator` 1.3.9 exports besides its class. */

export interface OperatorLogger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

export const ResourceEventType = {
  Added: "ADDED",
  Modified: "MODIFIED",
  Deleted: "DELETED",
} as const;
export type ResourceEventType = (typeof ResourceEventType)[keyof typeof ResourceEventType];
/** So that `ResourceEventType.Added` is a type too, as a member of the original's enum is. */
export declare namespace ResourceEventType {
  export type Added = "ADDED";
  export type Modified = "MODIFIED";
  export type Deleted = "DELETED";
}

/**
 * An object as the API server sends it, without managedFields. Times are strings; the original's types call them
 * `Date`, so that either word of them is accepted here.
 */
export interface KubernetesObject {
  apiVersion?: string;
  kind?: string;
  metadata?: {
    name?: string;
    namespace?: string;
    uid?: string;
    resourceVersion?: string;
    generation?: number;
    labels?: { [key: string]: string };
    annotations?: { [key: string]: string };
    finalizers?: string[];
    creationTimestamp?: string | Date;
    deletionTimestamp?: string | Date;
    deletionGracePeriodSeconds?: number;
    generateName?: string;
    ownerReferences?: {
      apiVersion: string;
      kind: string;
      name: string;
      uid: string;
      controller?: boolean;
      blockOwnerDeletion?: boolean;
    }[];
  };
}

export interface ResourceEvent {
  meta: ResourceMeta;
  type: ResourceEventType;
  object: KubernetesObject;
}

/** Names one state of one object: what the status and finalizer calls are given. */
export interface ResourceMeta {
  name: string;
  namespace?: string;
  /** `plural.group/version`: which watch it came from. */
  id: string;
  resourceVersion: string;
  apiVersion: string;
  kind: string;
}

export class ResourceMetaImpl implements ResourceMeta {
  readonly id: string;
  readonly name: string;
  readonly namespace?: string;
  readonly resourceVersion: string;
  readonly apiVersion: string;
  readonly kind: string;

  private constructor(id: string, { apiVersion, kind, metadata }: KubernetesObject) {
    const { name, namespace, resourceVersion } = metadata ?? {};
    if (!name || !resourceVersion || !apiVersion || !kind) {
      throw new Error(
        `malformed object of '${id}': name, resourceVersion, apiVersion and kind must all be set`,
      );
    }
    this.id = id;
    this.name = name;
    if (namespace !== undefined) this.namespace = namespace;
    this.resourceVersion = resourceVersion;
    this.apiVersion = apiVersion;
    this.kind = kind;
  }

  static createWithId(id: string, object: KubernetesObject): ResourceMeta {
    return new ResourceMetaImpl(id, object);
  }

  static createWithPlural(plural: string, object: KubernetesObject): ResourceMeta {
    return new ResourceMetaImpl(`${plural}.${object.apiVersion}`, object);
  }
}
