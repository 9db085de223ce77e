import {
  type Client,
  Informer,
  type KubeObject,
  keyOf,
  type Logger,
  type ResourceType,
  resourceTypeKey,
} from "@shieldx/controller-runtime";
import { slim } from "./judge.ts";

export interface AuditCacheEvents {
  changed(type: ResourceType, key: string): void;
  deleted(uid: string): void;
}

interface Cache {
  readonly informer: Informer;
  readonly stop: AbortController;
}

/** Caches of the kinds that are audited at present; one starts and stops as policies come and go. */
export class AuditCaches {
  readonly #client: Client;
  readonly #logger: Logger;
  readonly #events: AuditCacheEvents;
  readonly #caches = new Map<string, Cache>();

  constructor(client: Client, logger: Logger, events: AuditCacheEvents) {
    this.#client = client;
    this.#logger = logger;
    this.#events = events;
  }

  /** Start the caches of `types` that are missing and end the others. */
  hold(types: readonly ResourceType[], signal: AbortSignal): void {
    const wanted = new Set(types.map(resourceTypeKey));
    for (const [key, cache] of this.#caches) {
      if (wanted.has(key)) continue;
      cache.stop.abort(new Error("no policy audits this kind any more"));
      this.#caches.delete(key);
      for (const object of cache.informer.store.list()) this.#events.deleted(object.metadata.uid ?? "");
    }
    for (const type of types) if (!this.#caches.has(resourceTypeKey(type))) this.#start(type, signal);
  }

  get isSynced(): boolean {
    return [...this.#caches.values()].every(({ informer }) => informer.hasSynced);
  }

  get(type: string, key: string): KubeObject | undefined {
    return this.#caches.get(type)?.informer.store.get(key);
  }

  /** Every cached object's type and key, or those of one namespace. */
  *keys(namespace?: string): Iterable<{ readonly type: string; readonly key: string }> {
    for (const [type, { informer }] of this.#caches) {
      for (const key of informer.store.keys()) {
        if (namespace === undefined || key.startsWith(`${namespace}/`)) yield { type, key };
      }
    }
  }

  #start(type: ResourceType, signal: AbortSignal): void {
    const stop = new AbortController();
    const informer = new Informer({
      client: this.#client,
      type,
      transform: slim,
      logger: this.#logger,
    });
    informer.on({
      added: (object) => this.#events.changed(type, keyOf(object)),
      updated: (old, object) => {
        if (isJudgedAlike(old, object)) return;
        this.#events.changed(type, keyOf(object));
      },
      deleted: (last) => this.#events.deleted(last.metadata.uid ?? ""),
    });
    this.#caches.set(resourceTypeKey(type), { informer, stop });
    informer.start(AbortSignal.any([signal, stop.signal])).catch((error: unknown) => {
      this.#logger.error({ err: error, kind: type.kind }, "an audit cache ended");
    });
  }
}

/** Most updates of a Pod are of its status, which was dropped: what is left is then the same but for its version. */
function isJudgedAlike(old: KubeObject, object: KubeObject): boolean {
  const judged = ({ metadata, ...rest }: KubeObject) => {
    const { resourceVersion: _version, generation: _generation, ...below } = metadata;
    return JSON.stringify([below, rest]);
  };
  return judged(old) === judged(object);
}
