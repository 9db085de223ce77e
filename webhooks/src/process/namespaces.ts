import {
  type Client,
  type Informer,
  isNotFound,
  type KubeObject,
  type Logger,
  Namespace,
} from "@shieldx/controller-runtime";

/** A namespace may be younger than the cache: it is then read once, by whoever asks first. */
export class Namespaces {
  readonly #cache: Informer<Namespace>;
  readonly #client: Client;
  readonly #logger: Logger;
  readonly #underWay = new Map<string, Promise<KubeObject | undefined>>();

  constructor(cache: Informer<Namespace>, client: Client, logger: Logger) {
    this.#cache = cache;
    this.#client = client;
    this.#logger = logger;
  }

  /**
   * @param uid of the review that asks, for the log
   * @returns undefined when it cannot be had in time, or there is none
   */
  async find(name: string, timeoutMs: number, uid?: string): Promise<KubeObject | undefined> {
    const cached = this.#cache.store.get(name);
    if (cached !== undefined) return cached;
    // Each name read costs a request to the API server; what cannot be a namespace does not.
    if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)) return undefined;
    const known = this.#underWay.get(name);
    if (known !== undefined) return known;
    const reading = this.#read(name, timeoutMs, uid).finally(() => this.#underWay.delete(name));
    this.#underWay.set(name, reading);
    return reading;
  }

  async #read(name: string, timeoutMs: number, uid: string | undefined): Promise<KubeObject | undefined> {
    try {
      const options = { timeoutMs: Math.max(1, Math.floor(timeoutMs)), retries: 0 };
      return await this.#client.get(Namespace, { name }, options);
    } catch (error) {
      if (!isNotFound(error))
        this.#logger.warn(
          { ...(uid === undefined ? {} : { uid }), err: error, namespace: name },
          "a namespace could not be looked up",
        );
      return undefined;
    }
  }
}
