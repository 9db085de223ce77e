import type { Clock, TimerHandle } from "../clock/clock.ts";

/** Resolves with `finished` when the work ends in time, else with `timedOut`. Never rejects early. */
export async function withinTime(
  clock: Clock,
  timeoutMs: number,
  work: Promise<unknown>,
): Promise<"finished" | "timedOut"> {
  let timer: TimerHandle | undefined;
  const timeout = new Promise<"timedOut">((resolve) => {
    timer = clock.setTimeout(() => resolve("timedOut"), timeoutMs);
  });
  try {
    return await Promise.race([work.then(() => "finished" as const), timeout]);
  } finally {
    clock.clearTimeout(timer);
  }
}

/**
 * A signal that aborts when the process is asked to stop by SIGTERM or SIGINT. The second of them ends the
 * process the usual way, at once: listeners are for one signal only.
 */
export function processSignal(): AbortSignal {
  const stop = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    process.off("SIGTERM", onSignal);
    process.off("SIGINT", onSignal);
    stop.abort(new Error(`received ${name}`));
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  return stop.signal;
}
