import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "undici";
import { parse } from "yaml";

/** Where requests go and with which certificate. */
export interface Target {
  readonly url: string;
  readonly tls: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer };
}

/** The API server and client certificate of a kubeconfig that has them inline or as files. */
export function targetOf(kubeconfig: string): Target {
  const config = parse(readFileSync(kubeconfig, "utf8")) as {
    clusters: { cluster: Record<string, string> }[];
    users: { user: Record<string, string> }[];
  };
  const [{ cluster } = { cluster: {} }] = config.clusters;
  const [{ user } = { user: {} }] = config.users;
  const pem = (from: Record<string, string>, name: string): Buffer => {
    const inline = from[`${name}-data`];
    return inline === undefined ? readFileSync(from[name] ?? "") : Buffer.from(inline, "base64");
  };
  return {
    url: cluster.server ?? "",
    tls: {
      ca: pem(cluster, "certificate-authority"),
      cert: pem(user, "client-certificate"),
      key: pem(user, "client-key"),
    },
  };
}

export interface LoadResult {
  readonly seconds: number;
  readonly requests: number;
  readonly tookMs: readonly number[];
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Runs `once` again and again, one call under way on each lane; resolves with how long each call took. */
export async function closedLoop(
  lanes: number,
  durationMs: number,
  once: (lane: number) => Promise<void>,
): Promise<LoadResult> {
  const tookMs: number[] = [];
  const began = performance.now();
  const loop = async (_: unknown, lane: number): Promise<void> => {
    while (performance.now() - began < durationMs) {
      const since = performance.now();
      await once(lane);
      tookMs.push(performance.now() - since);
    }
  };
  await Promise.all(Array.from({ length: lanes }, loop));
  return { seconds: (performance.now() - began) / 1000, requests: tookMs.length, tookMs };
}

/** Hands the items out to lanes, one under way on each. */
export async function eachInLane<T>(
  lanes: number,
  items: readonly T[],
  run: (item: T, lane: number) => Promise<void>,
): Promise<void> {
  const waiting = items.values();
  const work = async (_: unknown, lane: number): Promise<void> => {
    for (const item of waiting) await run(item, lane);
  };
  await Promise.all(Array.from({ length: lanes }, work));
}

/** Connections of their own for each lane: one request under way on each. */
export class Lanes {
  readonly #clients: readonly Client[];

  constructor(target: Target, count: number) {
    this.#clients = Array.from(
      { length: count },
      () => new Client(target.url, { connect: { ...target.tls }, pipelining: 1 }),
    );
  }

  get count(): number {
    return this.#clients.length;
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  /** One dry-run create of a Pod. */
  async create(lane: number, namespace: string, pod: string | Buffer): Promise<Answer> {
    const client = this.#clients[lane % this.#clients.length];
    if (client === undefined) throw new Error("a load needs at least one lane");
    const { statusCode, body } = await client.request({
      method: "POST",
      path: `/api/v1/namespaces/${namespace}/pods?dryRun=All`,
      headers: { "content-type": "application/json", accept: "application/json" },
      body: pod,
    });
    return { status: statusCode, body: await body.text() };
  }

  /** As many requests as get answered, one under way on each lane (a closed loop). Any answer but 201 ends it. */
  closedLoop(namespace: string, pod: Buffer, durationMs: number): Promise<LoadResult> {
    return closedLoop(this.count, durationMs, (lane) => this.#created(lane, namespace, pod));
  }

  /** Requests at a fixed rate whatever the answers take (an open loop); latency counts from the moment a request is due. */
  async openLoop(namespace: string, pod: Buffer, perSecond: number, durationMs: number): Promise<LoadResult> {
    const tookMs: number[] = [];
    const began = performance.now();
    const total = Math.round((perSecond * durationMs) / 1000);
    const underWay: Promise<void>[] = [];
    for (let index = 0; index < total; index++) {
      const due = began + (index * 1000) / perSecond;
      const waitMs = due - performance.now();
      if (waitMs > 0.5) await delay(waitMs);
      const since = Math.max(due, performance.now() - 1);
      underWay.push(
        this.#created(index, namespace, pod).then(() => {
          tookMs.push(performance.now() - since);
        }),
      );
    }
    await Promise.all(underWay);
    return { seconds: (performance.now() - began) / 1000, requests: total, tookMs };
  }

  async #created(lane: number, namespace: string, pod: Buffer): Promise<void> {
    const { status, body } = await this.create(lane, namespace, pod);
    if (status !== 201) throw new Error(`${namespace}: answered ${status}: ${body.slice(0, 500)}`);
  }
}
