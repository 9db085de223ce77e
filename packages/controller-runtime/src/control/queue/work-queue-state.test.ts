import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lowPriority, WorkQueueState } from "./work-queue-state.ts";

function takeAll(queue: WorkQueueState<string>, nowMs: number): string[] {
  const keys: string[] = [];
  for (let item = queue.take(nowMs); item !== undefined; item = queue.take(nowMs)) keys.push(item.key);
  return keys;
}

describe("WorkQueueState", () => {
  it("hands a key out once however often it was added", () => {
    const queue = new WorkQueueState<string>(0);
    for (const key of ["a", "b", "a", "a"]) queue.add(key, 0);
    expect(takeAll(queue, 0)).toEqual(["a", "b"]);
  });

  it("runs a key once more when it was added while being worked on, and not before that is done", () => {
    const queue = new WorkQueueState<string>(0);
    queue.add("a", 0);
    queue.take(0);
    queue.add("a", 1);
    queue.add("a", 2);
    expect(queue.take(2)).toBeUndefined();
    queue.done("a", 3);
    expect(takeAll(queue, 3)).toEqual(["a"]);
    queue.done("a", 4);
    expect(takeAll(queue, 4)).toEqual([]);
  });

  it("puts live events before the initial list, and keeps the order within a priority", () => {
    const queue = new WorkQueueState<string>(0);
    for (const key of ["i1", "i2", "i3"]) queue.add(key, 0, { priority: lowPriority });
    queue.add("live1", 1);
    queue.add("i3", 2); // a live event on an object whose initial item still waits
    queue.add("live2", 3);
    expect(takeAll(queue, 3)).toEqual(["i3", "live1", "live2", "i1", "i2"]);
  });

  it("never lowers a priority", () => {
    const queue = new WorkQueueState<string>(0);
    queue.add("a", 0, { priority: 5 });
    queue.add("a", 0, { priority: lowPriority });
    expect(queue.take(0)?.priority).toBe(5);
  });

  it("takes the earliest of several wishes for a delayed key", () => {
    const queue = new WorkQueueState<string>(0);
    queue.add("a", 0, { afterMs: 1_000 });
    queue.add("a", 0, { afterMs: 200 });
    queue.add("a", 0, { afterMs: 5_000 });
    expect(queue.nextDueAt).toBe(200);
    expect(queue.take(199)).toBeUndefined();
    expect(takeAll(queue, 200)).toEqual(["a"]);
    queue.done("a", 200);
    expect(queue.take(10_000)).toBeUndefined();
  });

  it("backs a failing key off from 5 ms, doubling, up to 1000 s, and starts over when forgotten", () => {
    const queue = new WorkQueueState<string>(0, { perSecond: 1e9, burst: 1e9 });
    const waits: number[] = [];
    let now = 0;
    for (let failure = 0; failure < 20; failure++) {
      queue.addFailed("a", now);
      const dueAt = queue.nextDueAt ?? now;
      waits.push(dueAt - now);
      now = dueAt;
      expect(queue.take(now)?.key).toBe("a");
      queue.done("a", now);
    }
    expect(waits.slice(0, 4)).toEqual([5, 10, 20, 40]);
    expect(waits.at(-1)).toBe(1_000_000);
    queue.forget("a");
    queue.addFailed("a", now);
    expect((queue.nextDueAt ?? 0) - now).toBe(5);
  });

  it("lets 100 failures of all keys through at once and then 10 per second", () => {
    const queue = new WorkQueueState<number>(0);
    for (let key = 0; key < 150; key++) queue.addFailed(key, 0);
    const soon = new Set<number>();
    for (let item = queue.take(5); item !== undefined; item = queue.take(5)) soon.add(item.key);
    expect(soon.size).toBe(100);
    let later = 0;
    for (let item = queue.take(1_005); item !== undefined; item = queue.take(1_005)) later++;
    expect(later).toBe(10);
  });

  it("hands nothing out after shutdown but lets work under way finish", () => {
    const queue = new WorkQueueState<string>(0);
    queue.add("a", 0);
    queue.add("b", 0);
    queue.take(0);
    queue.shutDown();
    queue.add("c", 0);
    expect(queue.take(0)).toBeUndefined();
    expect(queue.processingCount).toBe(1);
    queue.done("a", 1);
    expect(queue.retained).toEqual({ waiting: 0, processing: 0, failures: 0 });
  });

  it("counts depth per priority, without delayed and held keys", () => {
    const queue = new WorkQueueState<string>(0);
    queue.add("a", 0);
    queue.add("b", 0, { priority: lowPriority });
    queue.add("c", 0, { afterMs: 10 });
    expect(Object.fromEntries(queue.depths())).toEqual({ 0: 1, [lowPriority]: 1 });
    queue.take(0);
    queue.add("a", 0);
    expect(Object.fromEntries(queue.depths())).toEqual({ [lowPriority]: 1 });
  });

  it("retains nothing after a million keys that succeeded, failed once, or were delayed", () => {
    const queue = new WorkQueueState<string>(0, { perSecond: 1e9, burst: 1e9 });
    let now = 0;
    for (let round = 0; round < 1_000_000; round++) {
      const key = `default/object-${round}`;
      queue.add(key, now, round % 3 === 0 ? { afterMs: 1 } : {});
      now += 1;
      queue.take(now);
      if (round % 2 === 0) {
        queue.addFailed(key, now);
        queue.done(key, now);
        now += 5;
        queue.take(now);
      }
      queue.forget(key);
      queue.done(key, now);
    }
    expect(queue.retained).toEqual({ waiting: 0, processing: 0, failures: 0 });
    expect(queue.depths().size).toBe(0);
  });
});

/**
 * The specification as plainly as it can be written: one record per key, everything searched linearly.
 */
class Model {
  readonly waiting = new Map<
    string,
    { priority: number; dueAt: number; readyOrder: number | undefined; order: number }
  >();
  readonly processing = new Set<string>();
  order = 0;

  add(key: string, nowMs: number, priority: number, afterMs: number): void {
    const wish = this.waiting.get(key);
    if (wish === undefined) {
      this.waiting.set(key, { priority, dueAt: nowMs + afterMs, readyOrder: undefined, order: this.order++ });
    } else {
      wish.priority = Math.max(wish.priority, priority);
      wish.dueAt = Math.min(wish.dueAt, nowMs + afterMs);
    }
    if (afterMs === 0) this.settle(key);
  }

  /** Gives a key its place in line if it is due and nobody works on it. */
  settle(key: string): void {
    const wish = this.waiting.get(key);
    if (wish !== undefined && wish.readyOrder === undefined && !this.processing.has(key)) {
      wish.readyOrder = this.order++;
    }
  }

  promote(nowMs: number): void {
    const due = [...this.waiting].filter(([, wish]) => wish.dueAt <= nowMs && wish.readyOrder === undefined);
    due.sort(([, a], [, b]) => a.dueAt - b.dueAt || a.order - b.order);
    for (const [key] of due) this.settle(key);
  }

  take(nowMs: number): string | undefined {
    this.promote(nowMs);
    const ready = [...this.waiting].filter(([, wish]) => wish.readyOrder !== undefined);
    ready.sort(([, a], [, b]) => b.priority - a.priority || (a.readyOrder ?? 0) - (b.readyOrder ?? 0));
    const key = ready[0]?.[0];
    if (key === undefined) return undefined;
    this.waiting.delete(key);
    this.processing.add(key);
    return key;
  }
}

describe("WorkQueueState against its model", () => {
  const key = fc.constantFrom("a", "b", "c", "d", "e");
  const step = fc.oneof(
    fc.record({
      do: fc.constant("add" as const),
      key,
      priority: fc.constantFrom(lowPriority, 0, 7),
      afterMs: fc.constantFrom(0, 0, 1, 10, 50),
    }),
    fc.record({ do: fc.constant("take" as const) }),
    fc.record({ do: fc.constant("done" as const), key }),
    fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(1, 5, 20) }),
  );

  it("hands out the same keys in the same order, and never one that is being worked on", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const queue = new WorkQueueState<string>(0);
        const model = new Model();
        const working = new Set<string>();
        let now = 0;
        for (const action of steps) {
          switch (action.do) {
            case "add":
              queue.add(action.key, now, action);
              model.add(action.key, now, action.priority, action.afterMs);
              break;
            case "take": {
              const taken = queue.take(now)?.key;
              expect(taken).toBe(model.take(now));
              if (taken === undefined) break;
              expect(working.has(taken)).toBe(false);
              working.add(taken);
              break;
            }
            case "done": {
              const wasWorking = working.delete(action.key);
              queue.done(action.key, now);
              model.processing.delete(action.key);
              const wish = model.waiting.get(action.key);
              // A delayed key whose time came while it was worked on was held, and is ready now.
              if (wasWorking && wish !== undefined && wish.dueAt <= now) model.settle(action.key);
              break;
            }
            case "wait":
              now += action.ms;
              queue.promote(now);
              model.promote(now);
              break;
          }
        }
        expect(queue.retained.waiting).toBe(model.waiting.size);
        expect(queue.processingCount).toBe(model.processing.size);
      }),
      { numRuns: 2_000 },
    );
  });
});
