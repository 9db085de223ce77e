import { Informer, type InformerOptions } from "../cache/informer.ts";
import type { InformerMetrics } from "../cache/informer-metrics.ts";
import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../kubernetes/logger.ts";
import type { KubeObject } from "../kubernetes/objects.ts";
import { groupResourceOf, type ResourceType, resourceTypeKey } from "../kubernetes/resource-type.ts";
import type { Client } from "../transport/client.ts";

/** Which objects a cache holds, and what of them. */
export interface SharedInformerOptions<T extends KubeObject = KubeObject> {
  readonly namespace?: InformerOptions<T>["namespace"];
  readonly labelSelector?: InformerOptions<T>["labelSelector"];
  readonly fieldSelector?: InformerOptions<T>["fieldSelector"];
  readonly metadataOnly?: InformerOptions<T>["metadataOnly"];
  readonly keepManagedFieldsOf?: InformerOptions<T>["keepManagedFieldsOf"];
  readonly transform?: InformerOptions<T>["transform"];
  readonly indexers?: InformerOptions<T>["indexers"];
}

/** A cache did not fill in time; the message names the types and what usually is the matter. */
export class CacheSyncTimeoutError extends Error {
  readonly code = "CACHE_SYNC_TIMEOUT";
  override readonly name = "CacheSyncTimeoutError";
  constructor(resources: readonly string[], timeoutMs: number) {
    super(
      `the caches of ${resources.join(", ")} were not filled within ${timeoutMs} ms; ` +
        "check that the kinds are installed and that this process may list and watch them",
    );
  }
}

/** Thrown by `get` and `list` of a reconciler for a type that nothing watches. */
export class NotWatchedError extends Error {
  readonly code = "NOT_WATCHED";
  override readonly name = "NotWatchedError";
  constructor(type: ResourceType) {
    super(
      `${groupResourceOf(type)} is not watched: name it in the controller's for, owns or watches, ` +
        "call manager.informer for it, or read it with client.get",
    );
  }
}

interface Entry {
  readonly scope: string;
  readonly options: SharedInformerOptions;
  readonly informer: Informer;
}

/** One cache per (type, namespace, selectors, metadata only), however many ask for it. */
export class SharedInformers {
  readonly #entries: Entry[] = [];
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #metrics: InformerMetrics | undefined;
  readonly #running: Promise<void>[] = [];
  #signal: AbortSignal | undefined;

  constructor(parts: { client: Client; clock: Clock; logger: Logger; metrics?: InformerMetrics }) {
    this.#client = parts.client;
    this.#clock = parts.clock;
    this.#logger = parts.logger;
    this.#metrics = parts.metrics;
  }

  /** The shared cache; a new one is started at once if the others have been. */
  of<T extends KubeObject>(type: ResourceType<T>, options: SharedInformerOptions<T> = {}): Informer<T> {
    const { namespace, labelSelector, fieldSelector, metadataOnly = false } = options;
    const scope = JSON.stringify([
      resourceTypeKey(type),
      namespace,
      labelSelector,
      fieldSelector,
      metadataOnly,
    ]);
    const erased = options as unknown as SharedInformerOptions;
    const shared = this.#entries.find((entry) => entry.scope === scope && serves(entry.options, erased));
    if (shared !== undefined) return shared.informer as unknown as Informer<T>;
    const informer = new Informer<T>({
      client: this.#client,
      type,
      ...options,
      clock: this.#clock,
      logger: this.#logger,
      metrics: this.#metrics,
    });
    this.#entries.push({ scope, options: erased, informer: informer as unknown as Informer });
    if (this.#signal !== undefined) this.#running.push(informer.start(this.#signal));
    return informer;
  }

  /** All caches of a type, whatever their scope. */
  ofType<T extends KubeObject>(type: ResourceType<T>): Informer<T>[] {
    const key = resourceTypeKey(type);
    const same = this.#entries.filter((entry) => resourceTypeKey(entry.informer.type) === key);
    return same.map((entry) => entry.informer as unknown as Informer<T>);
  }

  /** Whether every cache has its first list. */
  get haveSynced(): boolean {
    return this.#entries.every((entry) => entry.informer.hasSynced);
  }

  start(signal: AbortSignal): void {
    this.#signal = signal;
    for (const { informer } of this.#entries) this.#running.push(informer.start(signal));
  }

  /**
   * Resolves when all caches are filled.
   * @throws CacheSyncTimeoutError, or the signal's reason
   */
  async synced(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const timeout = new AbortController();
    const timer = this.#clock.setTimeout(() => {
      const late = this.#entries.filter((entry) => !entry.informer.hasSynced);
      const resources = [...new Set(late.map((entry) => groupResourceOf(entry.informer.type)))];
      timeout.abort(new CacheSyncTimeoutError(resources, timeoutMs));
    }, timeoutMs);
    try {
      const either = AbortSignal.any([signal, timeout.signal]);
      await Promise.all(this.#entries.map((entry) => entry.informer.synced(either)));
    } finally {
      this.#clock.clearTimeout(timer);
    }
  }

  /** Resolves when all caches have ended after the signal. */
  async stopped(): Promise<void> {
    await Promise.all(this.#running);
  }
}

/** Whether a cache made with `has` answers one who asks for `wants`. */
function serves(has: SharedInformerOptions, wants: SharedInformerOptions): boolean {
  return (
    (wants.keepManagedFieldsOf === undefined || wants.keepManagedFieldsOf === has.keepManagedFieldsOf) &&
    wants.transform === has.transform &&
    (wants.indexers === undefined || wants.indexers === has.indexers)
  );
}
