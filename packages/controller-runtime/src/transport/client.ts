import type { KubeList, KubeObject, ObjectKey, WatchEvent } from "../kubernetes/objects.ts";
import type { ResourceType } from "../kubernetes/resource-type.ts";
import type { Query } from "./resource-path.ts";

/** What every call takes. */
export interface CallOptions {
  /** Aborting rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** For one attempt, until the whole answer is there. */
  timeoutMs?: number | undefined;
  /** How often to try again when the server asks to wait. Default 5; always 0 for verbs that are not safe to repeat. */
  retries?: number | undefined;
  /**
   * Called synchronously in the moment the request is about to be written to its connection, for every attempt:
   * after any wait for a connection, a token or a retry. What it throws ends the call, nothing having been sent.
   */
  beforeSend?: (() => void) | undefined;
}

export interface ReadOptions extends CallOptions {
  subresource?: string | undefined;
  resourceVersion?: string | undefined;
  /** Ask for `apiVersion`, `kind` and `metadata` only. */
  metadataOnly?: boolean | undefined;
}

/** As `JSON.parse`. */
export type JsonReader = (text: string) => unknown;

export interface ListOptions extends CallOptions {
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
  limit?: number | undefined;
  continue?: string | undefined;
  resourceVersion?: string | undefined;
  resourceVersionMatch?: "Exact" | "NotOlderThan" | undefined;
  metadataOnly?: boolean | undefined;
  /**
   * Called with items as they arrive, in order; these are then not in the answer. `timeoutMs` is then how long nothing may
   * arrive, and the size of the answer is not bounded.
   */
  onItems?: ((items: KubeObject[]) => void) | undefined;
  /**
   * Reads the JSON of objects, throwing SyntaxError. Default `JSON.parse`, which rounds whole numbers of 2^53 and more: who
   * has to tell them apart gives a reader that does not.
   */
  parse?: JsonReader | undefined;
}

export interface WatchOptions extends CallOptions {
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
  /** Start after this version; without it the server replays what exists first. */
  resourceVersion?: string | undefined;
  /** The server ends the watch after this long. */
  timeoutSeconds?: number | undefined;
  allowWatchBookmarks?: boolean | undefined;
  metadataOnly?: boolean | undefined;
  /** As for a list. */
  parse?: JsonReader | undefined;
}

export interface WriteOptions extends CallOptions {
  fieldManager?: string | undefined;
  dryRun?: boolean | undefined;
  subresource?: string | undefined;
  /** Default `Strict`: unknown and duplicate fields are refused rather than dropped. */
  fieldValidation?: "Strict" | "Warn" | "Ignore" | undefined;
}

export interface ApplyOptions extends WriteOptions {
  fieldManager: string;
  /** Take over fields other managers own. Only for objects that are ours. */
  force?: boolean | undefined;
}

export interface PatchOptions extends WriteOptions {
  type: "merge" | "json" | "strategic" | "apply";
  /** With `apply` only. */
  force?: boolean | undefined;
}

export interface DeleteOptions extends CallOptions {
  /** Refused with Conflict when the object is another one by now. */
  preconditions?: { uid?: string; resourceVersion?: string } | undefined;
  propagationPolicy?: "Orphan" | "Background" | "Foreground" | undefined;
  gracePeriodSeconds?: number | undefined;
  dryRun?: boolean | undefined;
}

export interface RawRequestOptions extends CallOptions {
  query?: Query | undefined;
  /** A string or bytes are sent as they are, anything else as JSON. */
  body?: unknown;
  headers?: Readonly<Record<string, string>> | undefined;
}

export interface RawResponse {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: string;
}

export interface ServerVersion {
  major: number;
  minor: number;
  gitVersion: string;
}

/**
 * A client of one API server. Every method throws `ApiError` when the server refuses, `TransportError` when
 * there is no usable answer, `CredentialsError` when there is no identity to ask with, and the signal's reason
 * when the caller aborts.
 */
export interface Client {
  /** Base URL of the API server. */
  readonly server: string;

  get<T extends KubeObject>(type: ResourceType<T>, key: ObjectKey, options?: ReadOptions): Promise<T>;
  /** As {@link get}, but `undefined` when the object does not exist. */
  find<T extends KubeObject>(
    type: ResourceType<T>,
    key: ObjectKey,
    options?: ReadOptions,
  ): Promise<T | undefined>;
  /** One page (everything, without `limit`). */
  list<T extends KubeObject>(type: ResourceType<T>, options?: ListOptions): Promise<KubeList<T>>;
  /** All pages, of `limit` (default 500) objects each. Throws ApiError 410 when the list expires half way. */
  pages<T extends KubeObject>(type: ResourceType<T>, options?: ListOptions): AsyncIterable<T[]>;
  create<T extends KubeObject>(type: ResourceType<T>, object: T, options?: WriteOptions): Promise<T>;
  /** PUT; carries the object's resourceVersion, and so fails with Conflict when it changed meanwhile. */
  replace<T extends KubeObject>(type: ResourceType<T>, object: T, options?: WriteOptions): Promise<T>;
  /** @throws ApiError NotFound when there is nothing to delete. */
  delete(type: ResourceType, key: ObjectKey, options?: DeleteOptions): Promise<void>;
  patch<T extends KubeObject>(
    type: ResourceType<T>,
    key: ObjectKey,
    body: unknown,
    options: PatchOptions,
  ): Promise<T>;
  /**
   * Server-side apply of exactly the fields in `object`. With `metadata.uid` the server refuses (Conflict) to
   * touch or create any other object of that name. `managedFields` and `resourceVersion` left in `object` by a
   * read are the caller's to remove: the first is refused, the second becomes a precondition.
   */
  apply<T extends KubeObject>(
    type: ResourceType<T>,
    object: Applicable<T>,
    options: ApplyOptions,
  ): Promise<T>;
  /** Events one by one until the server ends the watch. An ERROR event is thrown as `ApiError`. */
  watch<T extends KubeObject>(type: ResourceType<T>, options?: WatchOptions): AsyncIterable<WatchEvent<T>>;
  /**
   * As {@link watch}, but all events of a network chunk at once, ERROR events included: for caches. The first
   * batch is empty and comes as soon as the server has accepted the watch.
   */
  watchBatches<T extends KubeObject>(
    type: ResourceType<T>,
    options?: WatchOptions,
  ): AsyncIterable<WatchEvent<T>[]>;
  /** Any path. */
  request(method: string, path: string, options?: RawRequestOptions): Promise<RawResponse>;
  serverVersion(options?: CallOptions): Promise<ServerVersion>;
  /** The same identity towards another endpoint, for instance each API server by itself. */
  withServer(url: string): Client;
  /** Cuts what is under way and closes all connections; clients made by {@link withServer} share them. */
  close(): Promise<void>;
}

/** What may be applied: type and name, and any part of the rest. */
export type Applicable<T extends KubeObject> = {
  apiVersion: string;
  kind: string;
  metadata: T["metadata"];
} & {
  [field in keyof T]?: T[field];
};
