import { type Logger, silentLogger } from "../kubernetes/logger.ts";
import type { KubeObject } from "../kubernetes/objects.ts";
import { groupResourceOf } from "../kubernetes/resource-type.ts";
import type { InformerHandler } from "./handlers.ts";
import { Informer, type InformerOptions } from "./informer.ts";

/** What an informer of a pool needs besides what they have in common. */
export type PooledInformerOptions = Omit<InformerOptions<KubeObject>, keyof SharedByPool>;

/** What informers of a pool have in common. */
export type SharedByPool = Pick<InformerOptions<KubeObject>, "client" | "logger" | "clock" | "parse">;

/** Informers that come and go while the process runs, by a key of the owner's choice. */
export class InformerPool {
  readonly #shared: SharedByPool;
  readonly #informers = new Map<string, { readonly informer: Informer; readonly stop: AbortController }>();

  constructor(shared: SharedByPool) {
    this.#shared = shared;
  }

  /** Begins to list and watch; an informer already there under `key` is ended. `signal` ends it too. */
  start(
    key: string,
    options: PooledInformerOptions,
    handler: InformerHandler<KubeObject>,
    signal: AbortSignal,
  ): Informer {
    this.stop(key);
    const stop = new AbortController();
    const informer = new Informer({ ...this.#shared, ...options });
    informer.on(handler);
    this.#informers.set(key, { informer, stop });
    informer.start(AbortSignal.any([signal, stop.signal])).catch((error: unknown) => {
      const logger: Logger = this.#shared.logger ?? silentLogger;
      logger.error({ err: error, resource: groupResourceOf(options.type) }, "a cache ended");
    });
    return informer;
  }

  get(key: string): Informer | undefined {
    return this.#informers.get(key)?.informer;
  }

  /** Ends one informer; what it holds is no longer in the pool. */
  stop(key: string): void {
    const found = this.#informers.get(key);
    this.#informers.delete(key);
    found?.stop.abort(new Error("nobody needs this cache any more"));
  }
}
