import { setTimeout as delay } from "node:timers/promises";
import type { Cluster } from "@shieldx/e2e/cluster";
import { type Client, ConfigMap, type KubeObject, type ResourceType, Secret } from "../../index.ts";
import { seeded } from "../seed.test-kit.ts";
import { fillingAnnotation, fillingOf, type Lane, ownObject, tokenAnnotation } from "./delivery.test-kit.ts";

/** What a write was to make, by its token: how a state that is seen is known to have been asked for. */
export type Intents = Map<string, { readonly namespace: string; readonly name: string }>;

export const typeOf = (lane: Lane): ResourceType<KubeObject> =>
  (lane.kind === "configmaps" ? ConfigMap : Secret) as unknown as ResourceType<KubeObject>;

const names = ["a", "b", "c", "d", "e", "f", "g", "h"];

/**
 * Creates, changes, deletes, and deletes and creates again under the same name, straight at the API servers and not
 * through the proxy. Whatever fails is read up before the next write, so one that took effect without an answer is
 * built upon.
 */
export class Churn {
  readonly intents: Intents = new Map();
  /** Writes answered with success, by lane. */
  readonly writes: number[];
  #isStopped = false;
  readonly #clients: readonly Client[];
  readonly #lanes: readonly Lane[];
  readonly #running: Promise<unknown>;

  constructor(cluster: Cluster, client: Client, lanes: readonly Lane[], seed: number, meanPauseMs: number) {
    this.#clients = cluster.apiServers.map(({ url }) => client.withServer(url));
    this.#lanes = lanes;
    this.writes = lanes.map(() => 0);
    this.#running = Promise.all(
      lanes.map((_lane, at) => this.#churn(at, seeded(seed * 31 + at), meanPauseMs)),
    );
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  /** Asks one server after the other until one answers. */
  async read<R>(ask: (client: Client) => Promise<R>): Promise<R> {
    for (let turn = 0; ; turn++) {
      const client = this.#clients[turn % this.#clients.length];
      if (client === undefined) throw new Error("there is no API server");
      try {
        return await ask(client);
      } catch (error) {
        if (turn > 2_000) throw error;
        await delay(20);
      }
    }
  }

  async list(lane: Lane): Promise<KubeObject[]> {
    return this.read(async (client) => {
      const { items } = await client.list(typeOf(lane), { namespace: lane.namespace, timeoutMs: 5_000 });
      return items.filter(({ metadata }) => metadata.name !== ownObject);
    });
  }

  async #churn(at: number, random: () => number, meanPauseMs: number): Promise<void> {
    const lane = this.#lanes[at];
    if (lane === undefined) return;
    const held = new Map<string, KubeObject>();
    for (let turn = 0; !this.#isStopped; turn++) {
      await delay(random() * 2 * meanPauseMs);
      const name = names[Math.floor(random() * names.length)] ?? "a";
      const client = this.#clients[Math.floor(random() * this.#clients.length)];
      const choice = random();
      const writes = new Writes(client as Client, lane, this.intents, `${at}.${turn}`);
      try {
        await writes.run(choice, name, held);
      } catch {
        const now = await this.read((any) =>
          any.find(typeOf(lane), { name, namespace: lane.namespace }, { timeoutMs: 5_000 }),
        );
        if (now === undefined) held.delete(name);
        else held.set(name, now);
      }
      this.writes[at] = (this.writes[at] ?? 0) + writes.done;
    }
  }
}

/** The one or two writes of one turn. */
class Writes {
  done = 0;
  readonly #client: Client;
  readonly #lane: Lane;
  readonly #intents: Intents;
  readonly #token: string;
  #attempts = 0;

  constructor(client: Client, lane: Lane, intents: Intents, token: string) {
    this.#client = client;
    this.#lane = lane;
    this.#intents = intents;
    this.#token = token;
  }

  async run(choice: number, name: string, held: Map<string, KubeObject>): Promise<void> {
    const existing = held.get(name);
    if (existing === undefined) {
      held.set(name, await this.#create(name));
    } else if (choice < 0.55) {
      held.set(name, await this.#update(name));
    } else {
      await this.#delete(name, existing.metadata.uid);
      held.delete(name);
      if (choice < 0.8) held.set(name, await this.#create(name));
    }
  }

  async #create(name: string): Promise<KubeObject> {
    const { namespace, kind } = this.#lane;
    const type = { apiVersion: "v1", kind: kind === "configmaps" ? "ConfigMap" : "Secret" };
    const metadata = { name, namespace, annotations: this.#intend(name) };
    const created = await this.#client.create(
      typeOf(this.#lane),
      { ...type, metadata },
      { timeoutMs: 5_000 },
    );
    this.done++;
    return created;
  }

  async #update(name: string): Promise<KubeObject> {
    const { namespace } = this.#lane;
    const body = { metadata: { annotations: this.#intend(name) } };
    const options = { type: "merge", timeoutMs: 5_000 } as const;
    const updated = await this.#client.patch(typeOf(this.#lane), { name, namespace }, body, options);
    this.done++;
    return updated;
  }

  async #delete(name: string, uid: string | undefined): Promise<void> {
    const { namespace } = this.#lane;
    const preconditions = uid === undefined ? {} : { preconditions: { uid } };
    await this.#client.delete(
      typeOf(this.#lane),
      { name, namespace },
      { ...preconditions, timeoutMs: 5_000, retries: 0 },
    );
    this.done++;
  }

  #intend(name: string): Record<string, string> {
    const token = `${this.#token}.${this.#attempts++}`;
    this.#intents.set(token, { namespace: this.#lane.namespace, name });
    return { [tokenAnnotation]: token, [fillingAnnotation]: fillingOf(token) };
  }
}
