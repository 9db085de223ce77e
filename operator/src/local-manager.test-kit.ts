// A stand-in for the runtime's manager, used only until it exists.
import {
  type Client,
  Informer,
  type KubeObject,
  keyOf,
  keyString,
  type Logger,
  type ObjectKey,
  parseKey,
  type ResourceType,
  resourceTypeKey,
} from "@shieldx/controller-runtime";

export class LocalManager {
  readonly events: object[] = [];
  readonly errors: unknown[] = [];
  reconciles: Record<string, number> = {};
  #informers = new Map<string, Informer>();
  #controllers: any[] = [];
  #runnables: any[] = [];
  client: Client;
  logger: Logger;
  constructor(client: Client, logger: Logger) {
    this.client = client;
    this.logger = logger;
  }
  informer(type: ResourceType<any>, options: any): any {
    const { predicate: _p, map: _m, type: _t, ...rest } = options;
    const key = resourceTypeKey(type) + JSON.stringify(rest);
    let found = this.#informers.get(key);
    if (found === undefined) {
      found = new Informer({ client: this.client, type, ...rest });
      this.#informers.set(key, found);
    }
    return found;
  }
  addController(definition: any) {
    this.#controllers.push(definition);
  }
  addRunnable(runnable: any) {
    this.#runnables.push(runnable);
  }
  async run(signal: AbortSignal) {
    const starts: (() => void)[] = [];
    for (const definition of this.#controllers) starts.push(this.#wire(definition, signal));
    for (const informer of this.#informers.values()) void informer.start(signal);
    await Promise.all([...this.#informers.values()].map((informer) => informer.synced()));
    for (const start of starts) start();
    await Promise.all(this.#runnables.map((runnable) => runnable.start(signal)));
  }
  #wire(definition: any, signal: AbortSignal): () => void {
    const types = new Map<string, Informer>();
    const queue = new Set<string>();
    let running = false;
    let live = false;
    const failures = new Map<string, number>();
    const context = {
      client: this.client,
      logger: this.logger,
      signal,
      events: {
        event: (about: KubeObject, event: object) =>
          this.events.push({ about: about.metadata.name, ...event }),
      },
      get: (type: ResourceType, key: ObjectKey) => {
        const informer = types.get(resourceTypeKey(type));
        if (informer === undefined) throw new Error(`not watched: ${type.kind}`);
        return informer.store.get(keyString(key));
      },
      list: (type: ResourceType) => {
        const informer = types.get(resourceTypeKey(type));
        if (informer === undefined) throw new Error(`not watched: ${type.kind}`);
        return informer.store.list();
      },
    };
    const drain = async () => {
      if (running || !live) return;
      running = true;
      for (const key of queue) {
        if (signal.aborted) break;
        queue.delete(key);
        this.reconciles[definition.name] = (this.reconciles[definition.name] ?? 0) + 1;
        try {
          const result = await definition.reconcile(parseKey(key), context);
          failures.delete(key);
          if (result?.requeueAfterMs)
            setTimeout(() => add(key), Math.min(result.requeueAfterMs, 2 ** 31 - 1)).unref();
        } catch (error) {
          if (!signal.aborted) {
            this.errors.push(error);
            const n = (failures.get(key) ?? 0) + 1;
            failures.set(key, n);
            setTimeout(() => add(key), 5 * 2 ** n).unref();
          }
        }
      }
      running = false;
      if (queue.size > 0 && !signal.aborted) void drain();
    };
    const add = (key: string) => {
      queue.add(key);
      void drain();
    };
    const hook = (spec: any, map: (object: KubeObject) => ObjectKey[]) => {
      const informer = this.informer(spec.type, spec);
      types.set(resourceTypeKey(spec.type), informer);
      const go = (change: any) => {
        if (spec.predicate && !spec.predicate(change)) return;
        for (const key of map(change.object)) add(keyString(key));
        if (change.old) for (const key of map(change.old)) add(keyString(key));
      };
      informer.on({
        added: (object: KubeObject, isInitial: boolean) => go({ kind: "added", object, isInitial }),
        updated: (old: KubeObject, object: KubeObject) => go({ kind: "updated", old, object }),
        deleted: (object: KubeObject) => go({ kind: "deleted", object }),
      });
    };
    hook(definition.for, (object) => [parseKey(keyOf(object))]);
    for (const watched of definition.watches ?? []) hook(watched, watched.map);
    return () => {
      live = true;
      void drain();
    };
  }
}
