import { describe, expect, it } from "vitest";
import { createRealClock, delay, longestNodeTimerMs, realClock } from "./clock.ts";
import { ManualClock } from "./manual-clock.ts";

describe("realClock", () => {
  it("waits for a delay beyond 24.8 days in chunks that Node can hold", () => {
    let monotonic = 1_000;
    const armed: { callback: () => void; delayMs: number }[] = [];
    const clock = createRealClock(
      {
        setTimeout: (callback, delayMs) => {
          armed.push({ callback, delayMs });
          return {} as NodeJS.Timeout;
        },
        clearTimeout: () => undefined,
      },
      () => monotonic,
    );
    const sixtyDays = 60 * 24 * 3_600_000;
    let fired = 0;
    clock.setTimeout(() => fired++, sixtyDays);
    let waited = 0;
    for (let next = armed.shift(); next !== undefined; next = armed.shift()) {
      expect(next.delayMs).toBeLessThanOrEqual(longestNodeTimerMs);
      expect(fired).toBe(0);
      monotonic += next.delayMs;
      waited += next.delayMs;
      next.callback();
    }
    expect(fired).toBe(1);
    expect(waited).toBe(sixtyDays);
  });

  it("does not fire a very long timer at once, and cancels it", async () => {
    let fired = false;
    const handle = realClock.setTimeout(() => {
      fired = true;
    }, 2 ** 33);
    await delay(realClock, 20);
    expect(fired).toBe(false);
    realClock.clearTimeout(handle);
    expect(handle.cancelled).toBe(true);
  });

  it("rejects a delay with the signal's reason", async () => {
    const controller = new AbortController();
    const waiting = delay(realClock, 60_000, controller.signal);
    controller.abort(new Error("stopped"));
    await expect(waiting).rejects.toThrow("stopped");
  });
});

describe("ManualClock", () => {
  it("runs due timers in order, with the time each was due at, nested ones included", () => {
    const clock = new ManualClock();
    const seen: [string, number][] = [];
    clock.setTimeout(() => seen.push(["late", clock.monotonicNow()]), 30);
    clock.setTimeout(() => {
      seen.push(["first", clock.monotonicNow()]);
      clock.setTimeout(() => seen.push(["nested", clock.monotonicNow()]), 5);
    }, 10);
    clock.setTimeout(() => seen.push(["same time, set later", clock.monotonicNow()]), 10);
    clock.advance(20);
    expect(seen).toEqual([
      ["first", 10],
      ["same time, set later", 10],
      ["nested", 15],
    ]);
    expect(clock.pending).toBe(1);
    clock.advance(10);
    expect(seen.at(-1)).toEqual(["late", 30]);
  });

  it("keeps the wall clock apart once it is stepped", () => {
    const clock = new ManualClock(1_000);
    clock.advance(5);
    clock.stepWallClock(-500);
    expect(clock.now()).toBe(505);
    expect(clock.monotonicNow()).toBe(5);
  });
});
