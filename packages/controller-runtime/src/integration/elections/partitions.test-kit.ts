import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import {
  ConfigMap,
  createClient,
  guardClient,
  LeaderElector,
  loadCredentials,
  realClock,
  silentLogger,
} from "../../index.ts";
import { seeded, seedOfRun } from "../seed.test-kit.ts";
import { type ElectionBed, namespace } from "./bed.test-kit.ts";
import { type Direction, PartitionProxy } from "./partition-proxy.test-kit.ts";

/** Short, so that a partition is over in seconds; the proportions are those of the defaults. */
const timing = { leaseDurationMs: 2_000, renewDeadlineMs: 1_300, retryPeriodMs: 300 };
const writeEveryMs = 80;

export interface PartitionSize {
  readonly pairs: number;
  /** In all. */
  readonly partitions: number;
}

/** Electors in pairs, each behind a network of its own that is cut in one or both directions again and again. */
export async function partitionAll(bed: ElectionBed, { pairs, partitions }: PartitionSize): Promise<void> {
  const seed = seedOfRun("partitions");
  const leases = Array.from({ length: pairs }, (_, at) => `cut-${at}`);
  await bed.prepare(leases, 1);
  const each = Math.ceil(partitions / pairs);
  const kinds = new Map<string, number>();
  await Promise.all(leases.map((lease, at) => partition(bed, lease, each, seeded(seed + at), kinds)));
  const { late, line } = await bed.judge(leases);
  console.log(`${each * pairs} partitions: ${[...kinds].map((kind) => kind.join(" ")).join(", ")}`);
  console.log(`partitions: ${line}`);
  expect(late).toEqual([]);
}

async function partition(
  bed: ElectionBed,
  lease: string,
  times: number,
  random: () => number,
  kinds: Map<string, number>,
): Promise<void> {
  const candidates = await Promise.all([0, 1].map((at) => Candidate.start(bed, lease, at, random)));
  try {
    for (let at = 0; at < times; at++) {
      await delay(random() * 1_200);
      const choice = random();
      const cut = choice < 0.2 ? candidates : candidates.filter((_each, of) => of === (choice < 0.6 ? 0 : 1));
      const directions = pick(random, [
        ["to the server"],
        ["to the client"],
        ["to the server", "to the client"],
      ] as const) as readonly Direction[];
      const healing = pick(random, ["late", "reset"] as const);
      const kind = `${cut.length === 2 ? "both" : "one"}, ${directions.join(" and ")}, ${healing}:`;
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      for (const { proxy } of cut) proxy.cut(directions);
      await delay(200 + random() * 3_500);
      for (const { proxy } of cut) proxy.heal(healing);
    }
    await recovered(bed, lease);
  } finally {
    await Promise.all(candidates.map((candidate) => candidate.stop()));
  }
}

function pick<T>(random: () => number, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)] as T;
}

/** Somebody writes again once the network is whole. */
async function recovered({ client }: ElectionBed, lease: string): Promise<void> {
  const version = async (): Promise<string | undefined> =>
    (await client.get(ConfigMap, { name: `${lease}.0`, namespace })).metadata.resourceVersion;
  const before = await version();
  const deadline = performance.now() + 120_000;
  while ((await version()) === before) {
    if (performance.now() > deadline)
      throw new Error(`nobody leads ${lease} 2 min after its network was whole`);
    await delay(50);
  }
}

/** Stands for election under one identity after the other, and tries to write all the time. */
class Candidate {
  readonly proxy: PartitionProxy;
  readonly #bed: ElectionBed;
  readonly #lease: string;
  readonly #index: number;
  readonly #random: () => number;
  readonly #lives: Promise<void>;
  #elector: LeaderElector | undefined;
  #isStopped = false;

  private constructor(
    proxy: PartitionProxy,
    bed: ElectionBed,
    lease: string,
    index: number,
    random: () => number,
  ) {
    this.proxy = proxy;
    this.#bed = bed;
    this.#lease = lease;
    this.#index = index;
    this.#random = random;
    this.#lives = this.#live();
  }

  static async start(
    bed: ElectionBed,
    lease: string,
    index: number,
    random: () => number,
  ): Promise<Candidate> {
    return new Candidate(await PartitionProxy.start(bed.server), bed, lease, index, random);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#elector?.release();
    await this.#lives;
    await this.proxy[Symbol.asyncDispose]();
  }

  async #live(): Promise<void> {
    for (let life = 0; !this.#isStopped; life++) {
      const identity = `${this.#lease}-${this.#index}-${life}`;
      const credentials = await loadCredentials({ kubeconfig: this.#bed.kubeconfig });
      const client = createClient({ credentials, userAgent: identity, requestTimeoutMs: 1_500 });
      const through = client.withServer(this.proxy.url);
      const elector = new LeaderElector({
        client: through,
        name: this.#lease,
        namespace,
        identity: `${identity}_0`,
        timing,
        clock: realClock,
        random: this.#random,
        logger: silentLogger,
      });
      this.#elector = elector;
      const guarded = guardClient(through, elector);
      const key = { name: `${this.#lease}.0`, namespace };
      const write = (): void => {
        const data = { by: identity, at: String(performance.now()) };
        guarded.patch(ConfigMap, key, { data }, { type: "merge" }).catch(() => undefined); // refused, or cut off
      };
      const writing = setInterval(write, writeEveryMs);
      await elector.run().catch(() => undefined); // lost: the next life begins
      clearInterval(writing);
      await client.close();
    }
  }
}
