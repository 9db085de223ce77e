/** What one server answers over HTTPS, as much as it can. */
import type { MeasuredProcess } from "../lib/measured-process.ts";
import type { Endpoint } from "./lone-webhook.ts";
import { ReviewLanes } from "./review-lanes.ts";

export const connections = 8;
/** Each round has a new process, whose code is to be compiled as in one that has served for a while. */
const leastWarmUpSeconds = 1;

export interface Served {
  readonly perSecond: number;
  readonly cpuMs: number;
  readonly rssMiB: number;
}

/** @param isExpected of an answer's body, left out one that lets in: the first that is not ends the run */
export async function serve(
  endpoint: Endpoint,
  process: MeasuredProcess,
  questions: readonly Buffer[],
  seconds: number,
  isExpected?: (answer: string) => boolean,
): Promise<Served> {
  await using lanes = await ReviewLanes.open(endpoint, connections);
  await lanes.load(questions, Math.max(leastWarmUpSeconds, seconds) * 1_000, isExpected);
  const before = process.usage();
  const load = await lanes.load(questions, seconds * 1_000, isExpected);
  const after = process.usage();
  return {
    perSecond: load.requests / load.seconds,
    cpuMs: (after.cpuMs - before.cpuMs) / load.requests,
    rssMiB: after.rssBytes / 2 ** 20,
  };
}
