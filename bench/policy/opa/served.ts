/** Decisions of one server over HTTPS, as many as get answered. */
import { compared } from "../../lib/line.ts";
import type { MeasuredProcess } from "../../lib/measured-process.ts";
import { median } from "../../lib/statistics.ts";
import type { Lines } from "../figures.ts";
import type { Endpoint } from "../lone-webhook.ts";
import { ReviewLanes } from "../review-lanes.ts";

const connections = 8;
/** Code is to be compiled as in a process that has served for a while. */
const warmUpMs = 3_000;

export interface Served {
  readonly perSecond: number;
  readonly cpuMs: number;
  readonly rssMiB: number;
}

/** @param isExpected of an answer's body: the first that is not ends the run */
export async function serve(
  endpoint: Endpoint,
  process: MeasuredProcess,
  questions: readonly Buffer[],
  seconds: number,
  isExpected: (answer: string) => boolean,
): Promise<Served> {
  await using lanes = await ReviewLanes.open(endpoint, connections);
  await lanes.load(questions, warmUpMs, isExpected);
  const before = process.usage();
  const load = await lanes.load(questions, seconds * 1_000, isExpected);
  const after = process.usage();
  return {
    perSecond: load.requests / load.seconds,
    cpuMs: (after.cpuMs - before.cpuMs) / load.requests,
    rssMiB: after.rssBytes / 2 ** 20,
  };
}

export function servedLines(what: string, ours: readonly Served[], theirs: readonly Served[]): Lines {
  const of = (served: readonly Served[], key: keyof Served) => median(served.map((one) => one[key]));
  const figures = [
    { key: "perSecond", name: `decisions over HTTPS, ${what}`, unit: "/s", better: "more" },
    { key: "cpuMs", name: `CPU of a decision over HTTPS, ${what}`, unit: "ms", better: "less" },
    { key: "rssMiB", name: `RSS after decisions, ${what}`, unit: "MiB", better: "less" },
  ] as const;
  return figures.flatMap(({ key, ...figure }) =>
    compared({ ...figure, ours: of(ours, key), peers: { "opa run --server": of(theirs, key) } }),
  );
}
