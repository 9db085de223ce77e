/**
 * Time as an argument. Everything in this package that waits or measures takes a `Clock`, so that a test
 * can move time by hand and a seed replays a failure.
 */
export interface Clock {
  /** Wall-clock milliseconds since the Unix epoch. May jump. For what people read, never for deadlines. */
  now(): number;
  /** Milliseconds from an arbitrary start that never go back. For deadlines and durations. */
  monotonicNow(): number;
  /**
   * Calls `callback` once, `delayMs` from now, however long that is. Keeps the process alive until it fired
   * or was cleared: a process that is only waiting to retry must not end silently.
   */
  setTimeout(callback: () => void, delayMs: number): TimerHandle;
  clearTimeout(handle: TimerHandle | undefined): void;
}

/** What `Clock.setTimeout` returns; only good for `clearTimeout` of the same clock. */
export interface TimerHandle {
  readonly cancelled: boolean;
}

/** Node keeps a timer's delay in a signed 32-bit integer and fires at once when it does not fit (24.8 days). */
export const longestNodeTimerMs = 2 ** 31 - 1;

class ChainedTimer implements TimerHandle {
  cancelled = false;
  timer: NodeJS.Timeout | undefined;
}

/** The node timer functions, taken as an argument so that the chunking of long delays can be tested. */
export interface NodeTimers {
  setTimeout(callback: () => void, delayMs: number): NodeJS.Timeout;
  clearTimeout(timer: NodeJS.Timeout | undefined): void;
}

/**
 * The machine's clocks. A delay beyond 24.8 days is waited for in chunks and measured against the monotonic
 * clock, so that neither Node's limit nor the drift of many chunks moves it.
 */
export function createRealClock(
  timers: NodeTimers = globalThis,
  monotonicNow: () => number = () => performance.now(),
): Clock {
  const arm = (handle: ChainedTimer, callback: () => void, dueAt: number): void => {
    const remaining = Math.max(0, dueAt - monotonicNow());
    const chunk = Math.min(remaining, longestNodeTimerMs);
    handle.timer = timers.setTimeout(() => {
      if (handle.cancelled) return;
      if (remaining > longestNodeTimerMs) arm(handle, callback, dueAt);
      else callback();
    }, chunk);
  };
  return {
    now: () => Date.now(),
    monotonicNow,
    setTimeout(callback, delayMs) {
      const handle = new ChainedTimer();
      arm(handle, callback, monotonicNow() + (Number.isFinite(delayMs) ? delayMs : Number.MAX_SAFE_INTEGER));
      return handle;
    },
    clearTimeout(handle) {
      if (!(handle instanceof ChainedTimer)) return;
      handle.cancelled = true;
      timers.clearTimeout(handle.timer);
    },
  };
}

export const realClock: Clock = createRealClock();

/**
 * Resolves after `delayMs` of `clock`, or rejects with the signal's reason as soon as it aborts.
 */
export function delay(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => {
      clock.clearTimeout(handle);
      reject(signal?.reason as Error);
    };
    const handle = clock.setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, delayMs);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
