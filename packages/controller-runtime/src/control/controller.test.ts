import { Registry } from "prom-client";
import { describe, expect, it, vi } from "vitest";
import { realClock } from "../clock/clock.ts";
import { ManualClock } from "../clock/manual-clock.ts";
import { alwaysLeading } from "../election/guard.ts";
import { silentLogger } from "../kubernetes/logger.ts";
import type { ObjectKey } from "../kubernetes/objects.ts";
import type { Span, Tracer } from "../kubernetes/tracer.ts";
import { ManagerMetrics } from "../metrics/manager-metrics.ts";
import { ApiError } from "../transport/api-error.ts";
import type { Client } from "../transport/client.ts";
import { Controller } from "./controller.ts";
import { defineController, type ReconcileContext } from "./definition.ts";
import { type ReconcileResult, TerminalError } from "./outcome.ts";
import { WorkQueue } from "./queue/work-queue.ts";

// biome-ignore lint/suspicious/noConfusingVoidType: mirrors ControllerDefinition
type Reconcile = (key: ObjectKey, context: ReconcileContext) => Promise<ReconcileResult | void>;

function setUp(
  reconcile: Reconcile,
  options: { concurrency?: number; reconcileTimeoutMs?: number; tracer?: Tracer } = {},
) {
  const clock = new ManualClock();
  const registry = new Registry();
  const metrics = new ManagerMetrics(registry);
  const queue = new WorkQueue<string>({ name: "test", clock, metrics: metrics.workQueues });
  const concurrency = options.concurrency ?? 1;
  const controller = new Controller({
    name: "test",
    concurrency,
    reconcileTimeoutMs: options.reconcileTimeoutMs,
    queue,
    clock,
    logger: silentLogger,
    tracer: options.tracer,
    metrics: metrics.controllers.of("test", concurrency),
    context: {
      client: {} as Client,
      events: { event: () => undefined },
      leadershipGuard: alwaysLeading,
      get: () => undefined,
      list: () => [],
    },
    reconcile,
  });
  return { clock, registry, queue, controller };
}

async function metric(
  registry: Registry,
  name: string,
  labels: Record<string, string> = {},
): Promise<number> {
  const found = await registry.getSingleMetric(name)?.get();
  const value = found?.values.find((candidate) =>
    Object.entries(labels).every(
      ([label, wanted]) => (candidate.labels as Record<string, unknown>)[label] === wanted,
    ),
  );
  return value?.value ?? Number.NaN;
}

const runs = (registry: Registry, result: string) =>
  metric(registry, "controller_runtime_reconcile_total", { controller: "test", result });

describe("what each outcome of a reconcile does", () => {
  it("success: counted, forgotten, not run again", async () => {
    const seen: ObjectKey[] = [];
    const { clock, registry, queue, controller } = setUp(async (key) => {
      seen.push(key);
    });
    controller.start();
    queue.add("shop/cart");
    queue.add("node-1");
    await clock.advanceAsync(1_000);
    expect(seen).toEqual([{ namespace: "shop", name: "cart" }, { name: "node-1" }]);
    expect(await runs(registry, "success")).toBe(2);
    expect(queue.retained).toEqual({ waiting: 0, processing: 0, failures: 0 });
  });

  it("error: retried with back-off until it succeeds, then starts over", async () => {
    let failures = 3;
    const at: number[] = [];
    const { clock, registry, queue, controller } = setUp(async () => {
      at.push(clock.monotonicNow());
      if (failures-- > 0) throw new Error("not yet");
    });
    controller.start();
    queue.add("a");
    await clock.advanceAsync(1_000);
    expect(at).toEqual([0, 5, 15, 35]);
    expect(await runs(registry, "error")).toBe(3);
    expect(await metric(registry, "controller_runtime_reconcile_errors_total")).toBe(3);
    expect(await metric(registry, "workqueue_retries_total")).toBe(3);
    expect(queue.retained.failures).toBe(0);
  });

  it("TerminalError, wrapped or not: counted, not retried", async () => {
    let count = 0;
    const { clock, registry, queue, controller } = setUp(async ({ name }) => {
      count++;
      const terminal = new TerminalError("spec.level is not known");
      throw name === "a" ? terminal : new Error("cannot", { cause: terminal });
    });
    controller.start();
    queue.add("a");
    queue.add("b");
    await clock.advanceAsync(10_000);
    expect(count).toBe(2);
    expect(await metric(registry, "controller_runtime_terminal_reconcile_errors_total")).toBe(2);
    expect(await runs(registry, "error")).toBe(2);
  });

  it("a thrown non-Error: counted as a panic, retried", async () => {
    let count = 0;
    const { clock, registry, queue, controller } = setUp(async () => {
      if (count++ === 0) throw "a string";
    });
    controller.start();
    queue.add("a");
    await clock.advanceAsync(10);
    expect(count).toBe(2);
    expect(await metric(registry, "controller_runtime_reconcile_panics_total")).toBe(1);
  });

  it("requeueAfterMs: run again then, without counting a failure", async () => {
    const at: number[] = [];
    const { clock, registry, queue, controller } = setUp(async () => {
      at.push(clock.monotonicNow());
      return { requeueAfterMs: 60_000 };
    });
    controller.start();
    queue.add("a");
    await clock.advanceAsync(130_000);
    expect(at).toEqual([0, 60_000, 120_000]);
    expect(await runs(registry, "requeue_after")).toBe(3);
    expect(queue.failuresOf("a")).toBe(0);
  });

  it("requeue: run again after back-off, not an error", async () => {
    let count = 0;
    const { clock, registry, queue, controller } = setUp(async () => ({ requeue: count++ < 2 }));
    controller.start();
    queue.add("a");
    await clock.advanceAsync(100);
    expect(count).toBe(3);
    expect(await runs(registry, "requeue")).toBe(2);
    expect(await metric(registry, "controller_runtime_reconcile_errors_total")).toBe(0);
  });

  it("timeout: the signal aborts, and the key stays locked until the reconciler really ends", async () => {
    let running = 0;
    let together = 0;
    const { clock, registry, queue, controller } = setUp(
      async (_key, { signal }) => {
        together = Math.max(together, ++running);
        await new Promise<void>((resolve) =>
          signal.addEventListener("abort", () => resolve(), { once: true }),
        );
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        signal.throwIfAborted();
      },
      { concurrency: 2, reconcileTimeoutMs: 500 },
    );
    controller.start();
    queue.add("a");
    await clock.advanceAsync(100);
    queue.add("a");
    for (let step = 0; step < 15; step++) await clock.advanceAsync(100);
    expect(together).toBe(1);
    expect(await metric(registry, "controller_runtime_reconcile_timeouts_total")).toBeGreaterThanOrEqual(2);
  });

  it("a conflict is retried like any error", async () => {
    let count = 0;
    const { clock, queue, controller } = setUp(async () => {
      if (count++ === 0) throw new ApiError({ verb: "apply", resource: "pods" }, 409, { reason: "Conflict" });
    });
    controller.start();
    queue.add("a");
    await clock.advanceAsync(10);
    expect(count).toBe(2);
  });
});

describe("Controller", () => {
  it("runs as many keys at once as its concurrency, and never one twice", async () => {
    const working = new Set<string>();
    let most = 0;
    let doubled = false;
    const { clock, queue, controller } = setUp(
      async ({ name }) => {
        doubled ||= working.has(name);
        working.add(name);
        most = Math.max(most, working.size);
        await new Promise<void>((resolve) => clock.setTimeout(resolve, 10));
        working.delete(name);
      },
      { concurrency: 4 },
    );
    controller.start();
    for (let round = 0; round < 50; round++) {
      for (let key = 0; key < 8; key++) queue.add(`key-${key}`);
      await clock.advanceAsync(3);
    }
    await clock.advanceAsync(1_000);
    expect(most).toBe(4);
    expect(doubled).toBe(false);
  });

  it("reports each reconcile to a tracer, with how it ended", async () => {
    const spans: Record<string, unknown>[] = [];
    const tracer: Tracer = {
      trace: async (name, { attributes }, work) => {
        const seen: Record<string, unknown> = { name, ...attributes };
        spans.push(seen);
        const span: Span = {
          traceparent: "",
          set: (key, value) => {
            seen[key] = value;
          },
          fail: (error) => {
            seen.failed = (error as Error).message;
          },
        };
        return await work(span);
      },
      step: (_name, _attributes, work) => work(undefined),
    };
    const { queue, controller } = setUp(
      async ({ name }) => {
        if (name === "bad") throw new TerminalError("broken");
      },
      { tracer },
    );
    queue.add("ns/good");
    queue.add("bad");
    controller.start();
    await vi.waitFor(() => expect(spans).toHaveLength(2));
    await controller.drain();
    expect(spans).toEqual([
      {
        name: "reconcile test",
        "k8s.controller": "test",
        "k8s.namespace.name": "ns",
        "k8s.object.name": "good",
        "k8s.reconcile.id": expect.any(String),
        "k8s.reconcile.failures": 0,
        "k8s.reconcile.result": "success",
      },
      expect.objectContaining({
        "k8s.object.name": "bad",
        "k8s.reconcile.result": "terminal",
        failed: "broken",
      }),
    ]);
  });

  it("drains: takes nothing new and waits for what is under way", async () => {
    const done: string[] = [];
    const { clock, queue, controller } = setUp(async ({ name }) => {
      await new Promise<void>((resolve) => clock.setTimeout(resolve, 100));
      done.push(name);
    });
    controller.start();
    queue.add("a");
    queue.add("b");
    await clock.advanceAsync(10);
    let isDrained = false;
    const drained = controller.drain().then(() => {
      isDrained = true;
    });
    await clock.advanceAsync(50);
    expect(isDrained).toBe(false);
    await clock.advanceAsync(50);
    await drained;
    expect(done).toEqual(["a"]);
    expect(clock.pending).toBe(0);
  });

  it("reconciles initial objects behind live ones, and both old and new owner of an update", async () => {
    const seen: string[] = [];
    const { clock, controller } = setUp(async ({ name }) => {
      seen.push(name);
    });
    const object = (name: string) => ({ apiVersion: "v1", kind: "Pod", metadata: { name } });
    const map = ({ metadata }: { metadata: { name: string } }) => [{ name: metadata.name }];
    controller.enqueue({ kind: "added", object: object("initial"), isInitial: true }, map, undefined);
    controller.enqueue({ kind: "added", object: object("created"), isInitial: false }, map, undefined);
    controller.enqueue({ kind: "updated", old: object("old"), object: object("new") }, map, undefined);
    controller.enqueue(
      { kind: "deleted", object: object("refused") },
      map,
      (change) => change.kind !== "deleted",
    );
    controller.start();
    await clock.advanceAsync(1);
    expect(seen).toEqual(["created", "new", "old", "initial"]);
  });

  it("lets sockets and timers run while it works through a long queue", async () => {
    const clock = realClock;
    const queue = new WorkQueue<string>({ name: "busy", clock });
    const metrics = new ManagerMetrics(new Registry());
    const controller = new Controller({
      name: "busy",
      concurrency: 1,
      queue,
      clock,
      logger: silentLogger,
      metrics: metrics.controllers.of("busy", 1),
      context: {} as never,
      reconcile: async () => {
        const until = performance.now() + 0.05;
        while (performance.now() < until);
      },
    });
    for (let key = 0; key < 4_000; key++) queue.add(`key-${key}`);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    controller.start();
    while (queue.length > 0) await new Promise((resolve) => setImmediate(resolve));
    clearInterval(timer);
    await controller.drain();
    expect(ticks).toBeGreaterThan(5);
  });

  it("works through 100,000 keys with one worker, and prints how many a second", async () => {
    const registry = new Registry();
    const metrics = new ManagerMetrics(registry);
    const queue = new WorkQueue<string>({ name: "noop", clock: realClock, metrics: metrics.workQueues });
    const keys = 100_000;
    const finished = Promise.withResolvers<void>();
    let left = keys;
    const controller = new Controller({
      name: "noop",
      concurrency: 1,
      queue,
      clock: realClock,
      logger: silentLogger,
      metrics: metrics.controllers.of("noop", 1),
      context: {} as never,
      reconcile: async () => {
        if (--left === 0) finished.resolve();
      },
    });
    for (let key = 0; key < keys; key++) queue.add(`default/object-${key}`);
    const startedAt = performance.now();
    controller.start();
    await finished.promise;
    const perSecond = keys / ((performance.now() - startedAt) / 1000);
    await controller.drain();
    console.log(`no-op reconciles per second, one worker: ${Math.round(perSecond)}`);
    expect(left).toBe(0);
  });
});

describe("defineController", () => {
  it("refuses names and concurrencies that cannot work", () => {
    const base = { for: { group: "", version: "v1", kind: "Pod", plural: "pods", namespaced: true } };
    const reconcile = async (): Promise<void> => undefined;
    expect(() => defineController({ ...base, name: "Has Spaces", reconcile })).toThrow(/lower-case/);
    expect(() => defineController({ ...base, name: "a", concurrency: 0, reconcile })).toThrow(/concurrency/);
  });
});
