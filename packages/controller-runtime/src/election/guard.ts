import type { KubeObject, ObjectKey } from "../kubernetes/objects.ts";
import type { ResourceType } from "../kubernetes/resource-type.ts";
import type {
  Applicable,
  ApplyOptions,
  CallOptions,
  Client,
  DeleteOptions,
  PatchOptions,
  RawRequestOptions,
  RawResponse,
  WriteOptions,
} from "../transport/client.ts";

/** Tells whether this process may still write as the leader. */
export interface LeadershipGuard {
  /** Asked synchronously, right before a write begins; true even of a stalled process only while it is. */
  mayWrite(): boolean;
  /** Aborted when leadership ends, for whatever reason. */
  readonly signal: AbortSignal;
}

/**
 * Thrown instead of beginning a write once the Lease may have lapsed, and by `manager.run` when leadership was
 * lost: the process must end, and starts again as a standby.
 */
export class LeadershipLostError extends Error {
  readonly code = "LEADERSHIP_LOST";
  override readonly name = "LeadershipLostError";
}

/** For processes without election. */
export const alwaysLeading: LeadershipGuard = {
  mayWrite: () => true,
  signal: new AbortController().signal,
};

/**
 * A client whose writes check the guard first and throw `LeadershipLostError` instead of beginning once it says
 * no; writes under way are aborted when leadership ends. Reads pass.
 */
export function guardClient(client: Client, guard: LeadershipGuard): Client {
  const checked = <O extends CallOptions>(options: O | undefined): O => {
    assertMayWrite(guard);
    const own = options?.signal;
    const signal = own === undefined ? guard.signal : AbortSignal.any([own, guard.signal]);
    const beforeSend = (): void => {
      options?.beforeSend?.();
      assertMayWrite(guard);
    };
    return { ...options, signal, beforeSend } as unknown as O;
  };
  return {
    server: client.server,
    get: (type, key, options) => client.get(type, key, options),
    find: (type, key, options) => client.find(type, key, options),
    list: (type, options) => client.list(type, options),
    pages: (type, options) => client.pages(type, options),
    watch: (type, options) => client.watch(type, options),
    watchBatches: (type, options) => client.watchBatches(type, options),
    serverVersion: (options) => client.serverVersion(options),
    withServer: (url) => guardClient(client.withServer(url), guard),
    close: () => client.close(),
    async create<T extends KubeObject>(type: ResourceType<T>, object: T, options?: WriteOptions): Promise<T> {
      return client.create(type, object, checked(options));
    },
    async replace<T extends KubeObject>(
      type: ResourceType<T>,
      object: T,
      options?: WriteOptions,
    ): Promise<T> {
      return client.replace(type, object, checked(options));
    },
    async delete(type: ResourceType, key: ObjectKey, options?: DeleteOptions): Promise<void> {
      return client.delete(type, key, checked(options));
    },
    async patch<T extends KubeObject>(
      type: ResourceType<T>,
      key: ObjectKey,
      body: unknown,
      options: PatchOptions,
    ): Promise<T> {
      return client.patch(type, key, body, checked(options));
    },
    async apply<T extends KubeObject>(
      type: ResourceType<T>,
      object: Applicable<T>,
      options: ApplyOptions,
    ): Promise<T> {
      return client.apply(type, object, checked(options));
    },
    async request(method: string, path: string, options?: RawRequestOptions): Promise<RawResponse> {
      const isRead = ["GET", "HEAD", "OPTIONS"].includes(method.toUpperCase());
      return client.request(method, path, isRead ? options : checked(options));
    },
  };
}

/** Throws `LeadershipLostError` unless the guard allows a write. */
export function assertMayWrite(guard: LeadershipGuard): void {
  if (guard.mayWrite()) return;
  throw new LeadershipLostError(
    "not the leader (any more): the write was not begun; the Lease may have lapsed",
  );
}
