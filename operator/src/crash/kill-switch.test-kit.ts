import { type Client, keyString, type ObjectKey, type ResourceType } from "@shieldx/controller-runtime";

/**
 * The moments of one call at which a process can die: nothing sent yet; the server has done it and the answer is not
 * seen; the answer was handed on and whatever follows at once has begun.
 */
export const MOMENTS = ["before", "processed", "answered"] as const;

const never = new Promise<never>(() => undefined);

/** Wraps a client so that its owner can be made to die at a named point: from then on nothing it sends leaves. */
export class KillSwitch {
  /** Every point reached, in order: `apply secrets shieldx-system/shieldx-webhooks-ca #1 processed`. */
  readonly points: string[] = [];
  readonly #killAt: string | undefined;
  readonly #onKill: () => void;
  readonly #seen = new Map<string, number>();
  #isDead = false;

  constructor(killAt: string | undefined, onKill: () => void) {
    this.#killAt = killAt;
    this.#onKill = onKill;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  kill(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.#onKill();
  }

  wrap(client: Client): Client {
    const call = <R>(
      verb: string,
      type: ResourceType,
      key: ObjectKey,
      work: () => Promise<R>,
    ): Promise<R> => {
      // Names of Events are made of the time.
      const name = type.plural === "events" ? "" : keyString(key);
      return this.#call(`${verb} ${type.plural} ${name}`, work);
    };
    const dead = this;
    return {
      server: client.server,
      get: (type, key, options) => call("get", type, key, () => client.get(type, key, options)),
      find: (type, key, options) => call("find", type, key, () => client.find(type, key, options)),
      create: (type, object, options) =>
        call("create", type, object.metadata, () => client.create(type, object, options)),
      replace: (type, object, options) =>
        call("replace", type, object.metadata, () => client.replace(type, object, options)),
      delete: (type, key, options) => call("delete", type, key, () => client.delete(type, key, options)),
      patch: (type, key, body, options) =>
        call("patch", type, key, () => client.patch(type, key, body, options)),
      apply: (type, object, options) =>
        call(`apply ${options.subresource ?? ""}`, type, object.metadata, () =>
          client.apply(type, object, options),
        ),
      list: (type, options) =>
        // Pages belong to caches, which write nothing.
        options?.limit === undefined
          ? this.#call(`list ${type.plural}`, () => client.list(type, options))
          : this.#unlessDead(() => client.list(type, options)),
      pages: (type, options) => client.pages(type, options),
      watch: (type, options) => client.watch(type, options),
      async *watchBatches(type, options) {
        for await (const batch of client.watchBatches(type, options)) {
          if (dead.isDead) await never;
          yield batch as never;
        }
      },
      request: (method, path, options) =>
        this.#call(`${method} ${path}`, () => client.request(method, path, options)),
      serverVersion: (options) => client.serverVersion(options),
      withServer: (url) => this.wrap(client.withServer(url)),
      close: () => client.close(),
    };
  }

  async #unlessDead<R>(work: () => Promise<R>): Promise<R> {
    if (this.#isDead) return never;
    const result = await work();
    return this.#isDead ? never : result;
  }

  async #call<R>(call: string, work: () => Promise<R>): Promise<R> {
    if (this.#isDead) return never;
    const occurrence = (this.#seen.get(call) ?? 0) + 1;
    this.#seen.set(call, occurrence);
    const id = `${call} #${occurrence}`;
    if (this.#reach(`${id} before`)) return never;
    let settle: () => R;
    try {
      const result = await work();
      settle = () => result;
    } catch (error) {
      settle = () => {
        throw error;
      };
    }
    if (this.#isDead || this.#reach(`${id} processed`)) return never;
    this.points.push(`${id} answered`);
    if (this.#killAt === `${id} answered`) setImmediate(() => this.kill());
    return settle();
  }

  #reach(point: string): boolean {
    this.points.push(point);
    if (point !== this.#killAt) return false;
    this.kill();
    return true;
  }
}
