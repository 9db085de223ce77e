import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import { ManualClock } from "../clock/manual-clock.ts";
import { silentLogger } from "../kubernetes/logger.ts";
import type { KubeObject } from "../kubernetes/objects.ts";
import { ConfigMap, Namespace, Pod } from "../kubernetes/resources.ts";
import { ApiError } from "../transport/api-error.ts";
import type { Client } from "../transport/client.ts";
import { defineController } from "./definition.ts";
import { createManager } from "./manager.ts";
import { SharedInformers } from "./shared-informers.ts";

/** An API server that has these objects and says nothing more; what talks to a real one is the integration test. */
function quietServer(objects: Record<string, KubeObject[]>): Client {
  return {
    async list(type: { plural: string; kind: string }) {
      const items = objects[type.plural];
      if (items === undefined) throw new ApiError({ verb: "list", resource: type.plural }, 404, {});
      return { apiVersion: "v1", kind: `${type.kind}List`, metadata: { resourceVersion: "1" }, items };
    },
    async *watchBatches(_type: unknown, options: { signal: AbortSignal }) {
      await new Promise((resolve) => options.signal.addEventListener("abort", resolve, { once: true }));
      yield [];
    },
  } as unknown as Client;
}

const pod = (name: string): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "shop", uid: name, resourceVersion: "1" },
});

function setUp(client: Client = quietServer({ pods: [pod("a"), pod("b")] })) {
  const clock = new ManualClock();
  const manager = createManager({
    client,
    name: "test",
    namespace: "test",
    leaderElection: false,
    metrics: new Registry(),
    logger: silentLogger,
    clock,
  });
  return { clock, manager, stop: new AbortController() };
}

/** Moves time on until the promise has settled. */
async function settle<T>(clock: ManualClock, promise: Promise<T>): Promise<T> {
  let isSettled = false;
  const done = (): void => {
    isSettled = true;
  };
  promise.then(done, done);
  for (let step = 0; step < 2_000 && !isSettled; step++) await clock.advanceAsync(500);
  return promise;
}

describe("Manager", () => {
  it("starts runnables, then caches, then controllers; ends them and resolves", async () => {
    const { clock, manager, stop } = setUp();
    const order: string[] = [];
    manager.addRunnable({
      name: "server",
      needsLeadership: false,
      start: async (signal) => {
        order.push("server");
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        order.push("server ended");
      },
    });
    const pods = manager.informer(Pod);
    manager.addRunnable({
      name: "for the leader",
      needsLeadership: true,
      start: async () => void order.push(`leader, synced: ${pods.hasSynced}`),
    });
    manager.addController(
      defineController({
        name: "pod",
        for: Pod,
        async reconcile(key, { get, list }) {
          order.push(
            `${key.name} of ${list(Pod, { namespace: "shop" }).length}: ${get(Pod, key)?.metadata.uid}`,
          );
          if (order.length >= 4) stop.abort(new Error("enough"));
        },
      }),
    );
    await settle(clock, manager.run(stop.signal));
    expect(order[0]).toBe("server");
    expect(order.slice(1, -1).sort()).toEqual(["a of 2: a", "b of 2: b", "leader, synced: true"]);
    expect(order.at(-1)).toBe("server ended");
  });

  it("ends at once where nothing is under way and no Lease is to be released", async () => {
    const { clock, manager, stop } = setUp();
    const leading = Promise.withResolvers<void>();
    manager.addRunnable({ name: "leads", needsLeadership: true, start: async () => leading.resolve() });
    const running = manager.run(stop.signal);
    await settle(clock, leading.promise);
    const before = clock.monotonicNow();
    stop.abort();
    await settle(clock, running);
    // Time moves by half a second for each look.
    expect(clock.monotonicNow() - before).toBeLessThan(2_000);
  });

  it("ends with the error of a runnable", async () => {
    const { clock, manager, stop } = setUp();
    const cause = new Error("no port");
    manager.addRunnable({
      name: "webhooks",
      needsLeadership: false,
      start: async () => {
        throw cause;
      },
    });
    await expect(settle(clock, manager.run(stop.signal))).rejects.toMatchObject({
      code: "RUNNABLE_FAILED",
      message: '"webhooks" ended with an error: no port',
      cause,
    });
  });

  it("ends when a cache does not fill in 2 minutes, naming the kind", async () => {
    const { clock, manager, stop } = setUp();
    manager.addController(
      defineController({ name: "maps", for: ConfigMap, reconcile: async () => undefined }),
    );
    await expect(settle(clock, manager.run(stop.signal))).rejects.toMatchObject({
      code: "CACHE_SYNC_TIMEOUT",
      message: expect.stringContaining("configmaps"),
    });
    expect(clock.monotonicNow()).toBeGreaterThanOrEqual(120_000);
    expect(clock.monotonicNow()).toBeLessThan(130_000);
  });

  it("stops before the caches are filled without an error", async () => {
    const { clock, manager, stop } = setUp(quietServer({}));
    manager.informer(Pod);
    const run = manager.run(stop.signal);
    await clock.advanceAsync(1_000);
    stop.abort(new Error("received SIGTERM"));
    await settle(clock, run);
  });

  it("does not wait longer than the graceful shutdown timeout, and aborts what is left", async () => {
    const { clock, manager, stop } = setUp();
    let wasAborted = false;
    manager.addController(
      defineController({
        name: "stuck",
        for: Pod,
        reconcile: (_key, { signal }) =>
          new Promise((resolve) => {
            signal.addEventListener("abort", () => {
              wasAborted = true;
              resolve(undefined);
            });
          }),
      }),
    );
    const run = manager.run(stop.signal);
    await clock.advanceAsync(100);
    stop.abort(new Error("received SIGTERM"));
    await settle(clock, run);
    expect(wasAborted).toBe(true);
    expect(clock.monotonicNow()).toBeGreaterThanOrEqual(30_000);
  });

  it("tells a reconciler which type nobody watches", async () => {
    const { clock, manager, stop } = setUp();
    let thrown: unknown;
    manager.addController(
      defineController({
        name: "pod",
        for: Pod,
        async reconcile(key, { get }) {
          try {
            get(Namespace, { name: key.namespace ?? "" });
          } catch (error) {
            thrown = error;
          }
          stop.abort(new Error("enough"));
        },
      }),
    );
    await settle(clock, manager.run(stop.signal));
    expect(thrown).toMatchObject({ code: "NOT_WATCHED", message: expect.stringContaining("namespaces") });
  });

  it("refuses two controllers of one name and a second run", async () => {
    const { clock, manager, stop } = setUp();
    const pods = defineController({ name: "pod", for: Pod, reconcile: async () => undefined });
    manager.addController(pods);
    expect(() => manager.addController(pods)).toThrow(/two controllers/);
    const run = manager.run(stop.signal);
    await expect(manager.run(stop.signal)).rejects.toThrow(/runs once/);
    stop.abort(new Error("enough"));
    await settle(clock, run);
  });
});

describe("SharedInformers", () => {
  it("makes one cache per type and scope, and another where what is cached differs", () => {
    const shared = new SharedInformers({
      client: quietServer({}),
      clock: new ManualClock(),
      logger: silentLogger,
    });
    const all = shared.of(Pod);
    expect(shared.of(Pod, {})).toBe(all);
    expect(shared.of(Pod, { namespace: "shop" })).not.toBe(all);
    expect(shared.of(Pod, { metadataOnly: true })).not.toBe(all);
    expect(shared.of(Pod, { labelSelector: "a=b" })).not.toBe(all);
    const kept = shared.of(Pod, { keepManagedFieldsOf: "me" });
    expect(kept).not.toBe(all);
    const indexers = { node: () => ["n1"] };
    expect(shared.of(Pod, { indexers })).toBe(shared.of(Pod, { indexers }));
    expect(shared.ofType(Pod)).toHaveLength(6);
  });
});
