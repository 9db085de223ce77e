import { setTimeout as delay } from "node:timers/promises";
import { type BenchLine, compared } from "../lib/line.ts";
import { usageOf } from "../lib/measured-process.ts";
import type { BenchSettings } from "../lib/settings.ts";
import { median } from "../lib/statistics.ts";
import type { Field } from "./contestants.ts";

const settleMs = 3_000;

/** From the start of the webhook's process to ready, and its memory a little later, without a request meanwhile. */
export async function benchStarts(
  field: Field,
  settings: Pick<BenchSettings, "isQuick" | "runs">,
): Promise<BenchLine[]> {
  const ours = { readyMs: [] as number[], rss: [] as number[] };
  const theirs = { readyMs: [] as number[], rss: [] as number[] };
  for (let round = 0; round < settings.runs; round++) {
    const shieldx = await field.restartShieldx();
    ours.readyMs.push(shieldx.readyMs ?? Number.NaN);
    const gatekeeper = await field.restartGatekeeper();
    if (gatekeeper !== undefined) theirs.readyMs.push(gatekeeper.readyMs);
    await delay(settings.isQuick ? 100 : settleMs);
    ours.rss.push(usageOf(shieldx.pid).rssBytes / 2 ** 20);
    if (gatekeeper !== undefined) theirs.rss.push(usageOf(gatekeeper.pid).rssBytes / 2 ** 20);
  }
  const whole = (values: readonly number[]) => values.map((value) => Math.round(value)).join(", ");
  for (const [who, { readyMs, rss }] of Object.entries({ shieldx: ours, gatekeeper: theirs })) {
    console.error(`${who}: ready after ${whole(readyMs)} ms, then ${whole(rss)} MiB`);
  }
  if (theirs.readyMs.length === 0) return [];
  return [
    ...compared({
      name: "webhook's start to ready",
      unit: "ms",
      better: "less",
      ours: median(ours.readyMs),
      peers: { gatekeeper: median(theirs.readyMs) },
    }),
    ...compared({
      name: "RSS at idle",
      unit: "MiB",
      better: "less",
      ours: median(ours.rss),
      peers: { gatekeeper: median(theirs.rss) },
    }),
  ];
}
