import { setTimeout as delay } from "node:timers/promises";
import { usageOf } from "./measured-process.ts";

const windowMs = 250;
/** Of one processor. */
const calmShare = 0.15;
const calmWindows = 3;

/**
 * Waits until processes do next to nothing for a moment: taking in what was written before a turn (kinds, policies,
 * their OpenAPI) goes on after the answers.
 * @throws Error when they do not calm down in time
 */
export async function untilCalm(pids: readonly number[], timeoutMs = 120_000): Promise<void> {
  const used = () => pids.reduce((sum, pid) => sum + usageOf(pid).cpuMs, 0);
  const began = performance.now();
  let [before, at, calm] = [used(), began, 0];
  while (calm < calmWindows) {
    if (performance.now() - began > timeoutMs)
      throw new Error(`${pids} did not calm down in ${timeoutMs} ms`);
    await delay(windowMs);
    const [now, nowAt] = [used(), performance.now()];
    calm = now - before < calmShare * (nowAt - at) ? calm + 1 : 0;
    [before, at] = [now, nowAt];
  }
}
