import { setTimeout as delay } from "node:timers/promises";
import {
  type Client,
  ConfigMap,
  type Credentials,
  createClient,
  Informer,
  keyOf,
  Namespace,
  noInformerMetrics,
} from "../../index.ts";
import { EventFollower, until } from "../follower.test-kit.ts";

/**
 * An informer under the credentials to test, in a namespace of its own, and somebody else who writes there all the
 * time. What it is told is compared with what was written.
 */
export class Followed implements AsyncDisposable {
  readonly follower = new EventFollower();
  readonly codes = new Map<string, number>();
  /** What lists and watches failed with, as the reflector took it. */
  readonly failures: string[] = [];
  readonly client: Client;
  readonly #writer: Client;
  readonly #namespace: string;
  readonly #informer: Informer<ConfigMap>;
  readonly #ended = new AbortController();
  #stopped: Promise<void> | undefined;
  #writes = 0;

  private constructor(credentials: Credentials, writer: Client, namespace: string) {
    this.#writer = writer;
    this.#namespace = namespace;
    this.client = createClient({
      credentials,
      metrics: {
        requestFinished: ({ code }) => this.codes.set(code, (this.codes.get(code) ?? 0) + 1),
        requestDuration: () => undefined,
      },
    });
    this.#informer = new Informer<ConfigMap>({
      client: this.client,
      type: ConfigMap,
      namespace,
      // Watches end soon, so that opening one meets credentials of every age.
      settings: { watchSeconds: { shortest: 1, longest: 2 }, endMarginMs: 2_000 },
      metrics: {
        ...noInformerMetrics,
        failed: (_resource, verb, kind) => this.failures.push(`${verb} ${kind}`),
      },
    });
    this.#informer.on(this.follower);
  }

  static async start(credentials: Credentials, writer: Client, namespace: string): Promise<Followed> {
    await writer.create(Namespace, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
    const followed = new Followed(credentials, writer, namespace);
    followed.#stopped = followed.#informer.start(followed.#ended.signal);
    await followed.#informer.synced();
    return followed;
  }

  /** Writes for as long as `during` takes. */
  async whileWriting(during: Promise<unknown>): Promise<void> {
    let isOver = false;
    const over = during.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      await this.write();
      await delay(50);
    }
    await over;
  }

  async write(): Promise<void> {
    const metadata = { name: "beat", namespace: this.#namespace };
    const map = { apiVersion: "v1", kind: "ConfigMap", metadata, data: { at: String(++this.#writes) } };
    await this.#writer.apply(ConfigMap, map, { fieldManager: "writer" });
  }

  /** How many of its own writes were delivered, after the last of them has been. */
  async caughtUp(): Promise<{ written: number; delivered: number }> {
    await this.write();
    const { metadata } = await this.#writer.get(ConfigMap, { name: "beat", namespace: this.#namespace });
    await until(`the last write in ${this.#namespace}`, () => {
      const held = this.#informer.store.get(`${this.#namespace}/beat`);
      return held?.metadata.resourceVersion === metadata.resourceVersion;
    });
    this.follower.expectHolds((await this.#writer.list(ConfigMap, { namespace: this.#namespace })).items);
    const delivered = this.follower.log.filter((line) => line.endsWith(" beat")).length;
    return { written: this.#writes, delivered };
  }

  holds(name: string): boolean {
    return this.#informer.store.has(keyOf({ metadata: { name, namespace: this.#namespace } } as ConfigMap));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort(new Error("the test has ended"));
    await this.#stopped;
    await this.client.close();
  }
}
