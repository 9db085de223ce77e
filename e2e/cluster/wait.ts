/** Waiting for a condition of the outside world, instead of sleeping and hoping. */
import { setTimeout as delay } from "node:timers/promises";
import { ClusterError } from "./errors.ts";

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly intervalMs?: number;
  /** Ends the wait early by throwing, e.g. when the process waited for has died. */
  readonly giveUp?: () => Promise<void> | void;
}

/**
 * Calls `probe` until it returns something other than undefined or false. A probe that throws counts as "not yet";
 * the last failure is the `cause` of the `TIMEOUT` error that ends the wait.
 */
export async function waitFor<T>(
  what: string,
  probe: () => Promise<T | undefined | false>,
  options: WaitOptions,
): Promise<T> {
  const deadline = performance.now() + options.timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const result = await probe();
      if (result !== undefined && result !== false) return result;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await options.giveUp?.();
    if (performance.now() > deadline) {
      const seen = last instanceof Error ? `: ${last.message}` : "";
      throw new ClusterError(
        "TIMEOUT",
        `${what} did not happen within ${options.timeoutMs / 1000} s${seen}`,
        {
          cause: last,
        },
      );
    }
    await delay(options.intervalMs ?? 50);
  }
}
