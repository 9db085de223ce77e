import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import { ManualClock } from "../../clock/manual-clock.ts";
import { WorkQueue } from "./work-queue.ts";
import { WorkQueueMetrics } from "./work-queue-metrics.ts";

function setUp() {
  const clock = new ManualClock();
  const registry = new Registry();
  const queue = new WorkQueue<string>({
    name: "pods",
    controller: "pod",
    clock,
    metrics: new WorkQueueMetrics(registry),
  });
  return { clock, registry, queue };
}

describe("WorkQueue", () => {
  it("wakes waiting workers in the order they came", async () => {
    const { queue } = setUp();
    const taken = [queue.take(), queue.take()];
    queue.add("a");
    queue.add("b");
    expect((await Promise.all(taken)).map((item) => item?.key)).toEqual(["a", "b"]);
  });

  it("wakes a worker when a delayed key falls due, with one timer for all of them", async () => {
    const { clock, queue } = setUp();
    for (let key = 0; key < 100; key++) queue.add(`key-${key}`, { afterMs: 1_000 + key });
    expect(clock.pending).toBe(1);
    let taken: string | undefined;
    const waiting = queue.take().then((item) => {
      taken = item?.key;
    });
    queue.add("soon", { afterMs: 10 });
    expect(clock.pending).toBe(1);
    await clock.advanceAsync(9);
    expect(taken).toBeUndefined();
    await clock.advanceAsync(1);
    await waiting;
    expect(taken).toBe("soon");
  });

  it("gives waiting workers nothing at shutdown, and resolves once the work under way is done", async () => {
    const { clock, queue } = setUp();
    queue.add("a");
    queue.add("later", { afterMs: 50 });
    await queue.take();
    const waiting = queue.take();
    let isDrained = false;
    const drained = queue.shutDown().then(() => {
      isDrained = true;
    });
    expect(await waiting).toBeUndefined();
    await clock.advanceAsync(100);
    expect(isDrained).toBe(false);
    queue.done("a");
    await drained;
    expect(clock.pending).toBe(0);
    expect(await queue.take()).toBeUndefined();
  });

  it("reports under client-go's metric names", async () => {
    const { clock, registry, queue } = setUp();
    queue.add("a");
    queue.add("low", { priority: -100 });
    clock.advance(2_000);
    const item = await queue.take();
    clock.advance(3_000);
    const busy = await registry.metrics();
    const labels = '{name="pods",controller="pod"}';
    expect(busy).toContain(`workqueue_adds_total${labels} 2`);
    expect(busy).toContain('workqueue_depth{name="pods",controller="pod",priority="-100"} 1');
    expect(busy).toContain('workqueue_depth{name="pods",controller="pod",priority="0"} 0');
    expect(busy).toContain(`workqueue_unfinished_work_seconds${labels} 3`);
    expect(busy).toContain(`workqueue_longest_running_processor_seconds${labels} 3`);
    expect(busy).toContain(`workqueue_queue_duration_seconds_sum${labels} 2`);
    queue.addFailed("a");
    queue.done(item?.key ?? "");
    const idle = await registry.metrics();
    expect(idle).toContain(`workqueue_work_duration_seconds_sum${labels} 3`);
    expect(idle).toContain(`workqueue_retries_total${labels} 1`);
    expect(idle).toContain(`workqueue_unfinished_work_seconds${labels} 0`);
  });
});
