import { expect, it } from "vitest";
import {
  type Client,
  ConfigMap,
  createManager,
  defineController,
  type KubeObject,
  silentLogger,
  type WatchEvent,
} from "../index.ts";
import { collector } from "./collector.test-kit.ts";

/** How many objects exist at a time. */
const alive = 2_000;
const batch = 200;

/** A server as far as one cache needs it: objects come, are changed, and go, each under a name never used before. */
function passingObjects(keys: number, taken: () => Promise<void>): Client {
  const event = (
    type: "ADDED" | "MODIFIED" | "DELETED",
    at: number,
    version: number,
  ): WatchEvent<KubeObject> => ({
    type,
    object: {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: `key-${at}`, namespace: "n", uid: `uid-${at}`, resourceVersion: String(version) },
      data: { value: `${at}` },
    },
  });
  const ofRound = function* (at: number): Generator<WatchEvent<KubeObject>> {
    if (at < keys) yield event("ADDED", at, at * 4 + 2);
    if (at < keys && at % 4 === 0) yield event("MODIFIED", at, at * 4 + 3);
    if (at >= alive) yield event("DELETED", at - alive, at * 4 + 4);
  };
  return {
    list: async () => ({ metadata: { resourceVersion: "1" }, items: [] }),
    async *watchBatches(_type: unknown, { signal }: { signal: AbortSignal }) {
      for (let at = 0; at < keys + alive; at += batch) {
        await taken();
        if (signal.aborted) return;
        yield Array.from({ length: batch }, (_, more) => [...ofRound(at + more)]).flat();
      }
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    },
  } as unknown as Client;
}

/** Sends that many keys through cache, queue and controller; compares the heap at a tenth of them and at the end. */
export function manyKeysSuite(keys: number): void {
  it(`keeps nothing of ${keys.toLocaleString("en")} keys that came and went`, async () => {
    const collect = collector();
    if (collect === undefined) throw new Error("this Node cannot collect garbage on demand");
    const heap = (): number => {
      collect();
      collect();
      return process.memoryUsage().heapUsed;
    };
    const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    let reconciles = 0;
    let failures = 0;
    let added = 0;
    let deleted = 0;
    let early = 0;
    const client = passingObjects(keys, async () => {
      // The cache must not run ahead of the workers, or the queue would be measured full.
      while (added - reconciles > alive) await pause();
      if (early === 0 && added >= keys / 10) early = heap();
      await pause();
    });
    const manager = createManager({
      client,
      name: "n",
      namespace: "n",
      leaderElection: false,
      logger: silentLogger,
    });
    const informer = manager.informer(ConfigMap, {});
    informer.on({ added: () => void added++, deleted: () => void deleted++ });
    manager.addController(
      defineController({
        name: "pass",
        for: ConfigMap,
        concurrency: 8,
        retry: { perSecond: 1e9, burst: 1e9, baseDelayMs: 1 },
        async reconcile({ name }) {
          reconciles++;
          const way = reconciles % 10;
          if (way === 1) await pause();
          if (way === 2) return { requeueAfterMs: 1 };
          if (way === 3) {
            failures++;
            throw new Error(`${name} failed`);
          }
          return undefined;
        },
      }),
    );
    const ended = new AbortController();
    const running = manager.run(ended.signal);
    const began = performance.now();
    while (deleted < keys) await pause();
    const seconds = (performance.now() - began) / 1000;
    // Retries and delayed looks are a few milliseconds away.
    for (let last = -1; last !== reconciles; ) {
      last = reconciles;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    const late = heap();
    ended.abort(new Error("done"));
    await running;
    console.log(
      `${keys} keys, ${reconciles} reconciles, ${failures} failed, ${seconds.toFixed(1)} s; heap after collection ` +
        `${(early / 2 ** 20).toFixed(1)} MiB at ${keys / 10} keys, ${(late / 2 ** 20).toFixed(1)} MiB in the end`,
    );
    expect(informer.store.size).toBe(0);
    expect(reconciles).toBeGreaterThan(keys);
    // A key that stays in a map costs some 80 bytes.
    expect(late - early).toBeLessThan(2 * 2 ** 20 + keys * 2);
  });
}
