import type { Clock, TimerHandle } from "./clock.ts";

class ManualTimer implements TimerHandle {
  cancelled = false;
  readonly dueAt: number;
  readonly order: number;
  readonly callback: () => void;

  constructor(dueAt: number, order: number, callback: () => void) {
    this.dueAt = dueAt;
    this.order = order;
    this.callback = callback;
  }
}

/**
 * A clock that stands still until a test moves it. Due timers run in the order of their due time, equal ones
 * in the order they were set, and each sees the time it was due at. `now()` and `monotonicNow()` move together
 * unless `stepWallClock` sets them apart.
 */
export class ManualClock implements Clock {
  #monotonicMs = 0;
  #wallMs: number;
  #order = 0;
  #timers = new Set<ManualTimer>();

  /** @param wallMs what `now()` starts at, milliseconds since the epoch. */
  constructor(wallMs = Date.UTC(2026, 0, 1)) {
    this.#wallMs = wallMs;
  }

  now(): number {
    return this.#wallMs;
  }

  monotonicNow(): number {
    return this.#monotonicMs;
  }

  setTimeout(callback: () => void, delayMs: number): TimerHandle {
    const timer = new ManualTimer(this.#monotonicMs + Math.max(0, delayMs), this.#order++, callback);
    this.#timers.add(timer);
    return timer;
  }

  clearTimeout(handle: TimerHandle | undefined): void {
    if (!(handle instanceof ManualTimer)) return;
    handle.cancelled = true;
    this.#timers.delete(handle);
  }

  /** How many timers are waiting. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Monotonic time of the next timer, or undefined when none waits. */
  get nextDueAt(): number | undefined {
    return this.#next()?.dueAt;
  }

  /** Moves the wall clock only, as NTP or an administrator would. */
  stepWallClock(byMs: number): void {
    this.#wallMs += byMs;
  }

  /** Moves time on and runs what falls due, timers set on the way included. Promises are not awaited. */
  advance(byMs: number): void {
    const target = this.#monotonicMs + byMs;
    for (let timer = this.#next(); timer !== undefined && timer.dueAt <= target; timer = this.#next()) {
      this.#fire(timer);
    }
    this.#moveTo(target);
  }

  /** As `advance`, but lets promise reactions run before the first and after each timer. */
  async advanceAsync(byMs: number): Promise<void> {
    const target = this.#monotonicMs + byMs;
    await settle();
    for (let timer = this.#next(); timer !== undefined && timer.dueAt <= target; timer = this.#next()) {
      this.#fire(timer);
      await settle();
    }
    this.#moveTo(target);
    await settle();
  }

  /** Moves time on without running any timer: an event loop that stalled. They run at the next `advance`. */
  stall(byMs: number): void {
    this.#moveTo(this.#monotonicMs + byMs);
  }

  #fire(timer: ManualTimer): void {
    this.#timers.delete(timer);
    this.#moveTo(timer.dueAt);
    timer.callback();
  }

  #moveTo(monotonicMs: number): void {
    if (monotonicMs <= this.#monotonicMs) return;
    this.#wallMs += monotonicMs - this.#monotonicMs;
    this.#monotonicMs = monotonicMs;
  }

  #next(): ManualTimer | undefined {
    let first: ManualTimer | undefined;
    for (const timer of this.#timers) {
      if (
        first === undefined ||
        timer.dueAt < first.dueAt ||
        (timer.dueAt === first.dueAt && timer.order < first.order)
      ) {
        first = timer;
      }
    }
    return first;
  }
}

/** Lets everything that is already resolved run: one turn of the event loop's check phase. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
