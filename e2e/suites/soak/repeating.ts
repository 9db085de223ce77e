import { setTimeout as delay } from "node:timers/promises";

export interface Repeated {
  readonly everyMs: number;
  /** Never runs beside itself; when it takes longer than the interval, the next one follows at once. */
  work(index: number): Promise<void>;
}

/** Runs all of them side by side for so long, and waits for what is under way. The first failure ends all and is thrown. */
export async function repeating(all: readonly Repeated[], milliseconds: number): Promise<void> {
  const ended = new AbortController();
  const timer = setTimeout(() => ended.abort(), milliseconds);
  try {
    const runs = await Promise.allSettled(all.map((each) => repeat(each, ended)));
    for (const run of runs) if (run.status === "rejected") throw run.reason;
  } finally {
    clearTimeout(timer);
  }
}

async function repeat({ everyMs, work }: Repeated, ended: AbortController): Promise<void> {
  const { signal } = ended;
  const began = performance.now();
  try {
    for (let index = 0; !signal.aborted; index++) {
      await work(index);
      const waitMs = began + (index + 1) * everyMs - performance.now();
      // Ending the wait early is no failure.
      if (waitMs > 0) await delay(waitMs, undefined, { signal }).catch(() => undefined);
    }
  } catch (error) {
    ended.abort();
    throw error;
  }
}
