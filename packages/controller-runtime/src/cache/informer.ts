import { type Clock, realClock, type TimerHandle } from "../clock/clock.ts";
import { type Logger, silentLogger } from "../kubernetes/logger.ts";
import type { KubeObject } from "../kubernetes/objects.ts";
import { groupResourceOf, type ResourceType } from "../kubernetes/resource-type.ts";
import type { Client, JsonReader } from "../transport/client.ts";
import { failureOf } from "./failure.ts";
import { HandlerSet, type InformerHandler } from "./handlers.ts";
import { type InformerMetrics, noInformerMetrics } from "./informer-metrics.ts";
import { preparing } from "./prepare.ts";
import {
  defaultReflectorSettings,
  type Failure,
  Reflector,
  type ReflectorCommand,
  type ReflectorInput,
  type ReflectorSettings,
} from "./reflector.ts";
import { type Indexers, ObjectStore, type Store } from "./store.ts";

export interface InformerOptions<T extends KubeObject> {
  client: Client;
  type: ResourceType<T>;
  /** Default: all namespaces. */
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
  /** Cache `apiVersion`, `kind` and `metadata` only: for kinds whose content is large or secret. */
  metadataOnly?: boolean | undefined;
  /** Field manager whose managedFields stay, for `applyIfChanged`. */
  keepManagedFieldsOf?: string | undefined;
  /** Reads the JSON of lists and watches; see {@link ListOptions.parse}. */
  parse?: JsonReader | undefined;
  /** Runs once per object state before it is cached; may change it in place. */
  transform?: ((object: T) => T) | undefined;
  indexers?: Indexers<T> | undefined;
  clock?: Clock | undefined;
  /** Uniform in [0, 1). */
  random?: (() => number) | undefined;
  logger?: Logger | undefined;
  metrics?: InformerMetrics | undefined;
  settings?: Partial<ReflectorSettings> | undefined;
}

/** How long nothing of a list may arrive: its server may be busy. */
const listTimeoutMs = 60_000;

/**
 * A cache of one type, kept by list and watch. Survives every failure of the API server; the only way to end
 * it is the signal given to {@link start}.
 */
export class Informer<T extends KubeObject = KubeObject> {
  readonly type: ResourceType<T>;
  readonly store: Store<T>;
  readonly #options: InformerOptions<T>;
  readonly #objects: ObjectStore<T>;
  readonly #reflector: Reflector<T>;
  readonly #handlers: HandlerSet<T>;
  readonly #prepare: (object: T) => T;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #metrics: InformerMetrics;
  readonly #resource: string;
  readonly #syncWaiters = new Set<{ resolve(): void; reject(reason: unknown): void }>();
  #signal: AbortSignal | undefined;
  #underWay: { request: number; controller: AbortController } | undefined;
  #timer: { handle: TimerHandle; dueMs: number } | undefined;
  #hasSynced = false;

  constructor(options: InformerOptions<T>) {
    this.#options = options;
    this.type = options.type;
    this.#resource = groupResourceOf(options.type);
    this.#clock = options.clock ?? realClock;
    this.#logger = options.logger ?? silentLogger;
    this.#metrics = options.metrics ?? noInformerMetrics;
    this.#objects = new ObjectStore(options.indexers);
    this.store = this.#objects;
    this.#metrics.cached(this.#resource, () => this.#objects.size);
    const settings = { ...defaultReflectorSettings, ...options.settings };
    this.#reflector = new Reflector(this.#objects, options.random ?? Math.random, settings);
    this.#handlers = new HandlerSet(this.#logger, () => this.#metrics.handlerFailed(this.#resource));
    this.#prepare = preparing({
      type: options.type,
      ...(options.metadataOnly === undefined ? {} : { metadataOnly: options.metadataOnly }),
      ...(options.keepManagedFieldsOf === undefined
        ? {}
        : { keepManagedFieldsOf: options.keepManagedFieldsOf }),
      ...(options.transform === undefined ? {} : { transform: options.transform }),
    });
  }

  /** Whether the first list is complete and has been delivered to every handler. */
  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /**
   * Resolves once {@link hasSynced}. Rejects with the signal's reason when the informer, or the wait, is ended
   * before that.
   */
  synced(signal?: AbortSignal): Promise<void> {
    if (this.#hasSynced) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const waiter = { resolve, reject };
      if (this.#signal?.aborted === true) return reject(this.#signal.reason);
      if (signal?.aborted === true) return reject(signal.reason);
      this.#syncWaiters.add(waiter);
      signal?.addEventListener(
        "abort",
        () => {
          if (this.#syncWaiters.delete(waiter)) reject(signal.reason);
        },
        { once: true },
      );
    });
  }

  /**
   * Adds a handler. Objects already cached are delivered to it at once, inside this call, as initial. Returns
   * what removes it again.
   */
  on(handler: InformerHandler<T>): () => void {
    return this.#handlers.add(handler, this.#objects.list());
  }

  /**
   * Lists and watches until the signal aborts; resolves then, and never rejects. Keeps the process alive
   * meanwhile.
   * @throws Error when it was started before
   */
  start(signal: AbortSignal): Promise<void> {
    if (this.#signal !== undefined)
      throw new Error(`the informer of ${this.#resource} has been started already`);
    this.#signal = signal;
    if (signal.aborted) {
      this.#stop();
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const keepAlive = setInterval(() => undefined, 2 ** 30); // a backoff has no socket that would
      signal.addEventListener(
        "abort",
        () => {
          clearInterval(keepAlive);
          this.#stop();
          resolve();
        },
        { once: true },
      );
      this.#feed({ type: "start" });
    });
  }

  #stop(): void {
    this.#underWay?.controller.abort(this.#signal?.reason);
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer.handle);
    for (const waiter of this.#syncWaiters) waiter.reject(this.#signal?.reason);
    this.#syncWaiters.clear();
  }

  #feed(input: ReflectorInput<T>): void {
    if (this.#signal?.aborted === true) return;
    const step = this.#reflector.step(input, this.#clock.monotonicNow());
    // Commands first: the next page is on its way while handlers work on this one.
    for (const command of step.commands) this.#execute(command);
    this.#handlers.deliver(step.deltas, step.isInitial);
    if (!this.#hasSynced && this.#reflector.hasSynced) this.#becomeSynced();
    this.#armTimer();
  }

  #becomeSynced(): void {
    this.#hasSynced = true;
    this.#logger.debug({ resource: this.#resource, objects: this.#objects.size }, "cache is in sync");
    for (const waiter of this.#syncWaiters) waiter.resolve();
    this.#syncWaiters.clear();
  }

  #execute(command: ReflectorCommand): void {
    switch (command.type) {
      case "list":
        void this.#list(command, this.#begin(command.request));
        break;
      case "watch":
        void this.#watch(command, this.#begin(command.request));
        break;
      case "abort":
        if (this.#underWay?.request === command.request) this.#underWay.controller.abort(ended);
        break;
      default:
        command satisfies never;
    }
  }

  #begin(request: number): AbortSignal {
    const controller = new AbortController();
    this.#underWay = { request, controller };
    return controller.signal;
  }

  async #list(command: ReflectorCommand & { type: "list" }, signal: AbortSignal): Promise<void> {
    const { request } = command;
    try {
      const page = await this.#options.client.list(this.type, {
        ...this.#scope(),
        limit: command.limit,
        continue: command.continue,
        signal,
        timeoutMs: listTimeoutMs,
        retries: 0, // the reflector has its own patience
        onItems: (arrived) => this.#feed({ type: "items", request, items: this.#take(arrived as T[]) }),
      });
      const items = this.#take(page.items);
      const { resourceVersion = "", continue: token } = page.metadata;
      this.#feed({ type: "page", request, items, resourceVersion, continue: token });
    } catch (error) {
      if (signal.aborted) return;
      this.#feed({ type: "listFailed", request, failure: this.#report("list", error) });
    }
  }

  /** Items of a list, on their way into the cache. */
  #take(items: T[]): T[] {
    this.#metrics.listed(this.#resource, items.length);
    return items.map(this.#prepare);
  }

  async #watch(command: ReflectorCommand & { type: "watch" }, signal: AbortSignal): Promise<void> {
    const { request, resourceVersion, timeoutSeconds } = command;
    let failure: Failure | undefined;
    this.#metrics.watched(this.#resource);
    try {
      const batches = this.#options.client.watchBatches(this.type, {
        ...this.#scope(),
        resourceVersion,
        timeoutSeconds,
        allowWatchBookmarks: true,
        signal,
        retries: 0,
      });
      for await (const events of batches) {
        for (const event of events) {
          if (event.type === "ADDED" || event.type === "MODIFIED" || event.type === "DELETED") {
            event.object = this.#prepare(event.object);
          }
        }
        this.#feed({ type: "events", request, events });
        if (signal.aborted) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      failure = this.#report("watch", error);
    }
    this.#feed({ type: "watchEnded", request, failure });
  }

  #scope() {
    const { namespace, labelSelector, fieldSelector, metadataOnly, parse } = this.#options;
    return { namespace, labelSelector, fieldSelector, metadataOnly, parse };
  }

  #report(verb: "list" | "watch", error: unknown): Failure {
    const failure = failureOf(error);
    this.#metrics.failed(this.#resource, verb, failure.kind);
    const level = failure.kind === "rejected" ? "error" : "info";
    this.#logger[level](
      { err: error, resource: this.#resource, verb, failure: failure.kind },
      `${verb} failed; will try again`,
    );
    return failure;
  }

  /** One timer, moved only when the deadline came nearer: a busy watch moves it away with each event. */
  #armTimer(): void {
    const dueMs = this.#reflector.deadlineMs;
    if (dueMs === undefined || this.#signal?.aborted === true) return;
    if (this.#timer !== undefined && this.#timer.dueMs <= dueMs) return;
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer.handle);
    const handle = this.#clock.setTimeout(
      () => {
        this.#timer = undefined;
        this.#feed({ type: "tick" });
      },
      Math.max(0, dueMs - this.#clock.monotonicNow()),
    );
    this.#timer = { handle, dueMs };
  }
}

const ended = new DOMException("the reflector ended this request", "AbortError");
