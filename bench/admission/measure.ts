import { type BenchLine, type Better, compared } from "../lib/line.ts";
import { usageOf } from "../lib/measured-process.ts";
import { alternating } from "../lib/rounds.ts";
import type { BenchSettings } from "../lib/settings.ts";
import { median, quantile } from "../lib/statistics.ts";
import { type Contestant, type Field, namespaceOf } from "./contestants.ts";
import type { Lanes } from "./load.ts";
import { typicalPod } from "./pods.ts";

const openRate = 50;
const secondsEach = 4;
const quickSeconds = 0.5;

export interface Measured {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly openP50Ms: number;
  readonly openP99Ms: number;
  /** CPU of the API server and of the webhook per request, milliseconds, under the closed loop. */
  readonly apiServerCpuMs: number;
  readonly webhookCpuMs: number;
  /** Of the webhook, after the closed loop. */
  readonly rssMiB: number;
}

/** Dry-run creates of one Pod in the contestant's namespace: as many as get answered, then at a fixed rate. */
export async function measure(
  lanes: Lanes,
  field: Pick<Field, "webhookPid">,
  contestant: Contestant,
  server: number,
  seconds: number,
): Promise<Measured> {
  const pod = Buffer.from(JSON.stringify(typicalPod("measured")));
  const namespace = namespaceOf(contestant);
  const webhook = field.webhookPid(contestant);
  const usage = () => ({
    server: usageOf(server).cpuMs,
    webhook: webhook === undefined ? 0 : usageOf(webhook).cpuMs,
  });
  await lanes.closedLoop(namespace, pod, 300);
  const before = usage();
  const closed = await lanes.closedLoop(namespace, pod, seconds * 1000);
  const after = usage();
  const rssMiB = webhook === undefined ? 0 : usageOf(webhook).rssBytes / 2 ** 20;
  const open = await lanes.openLoop(namespace, pod, openRate, seconds * 1000);
  return {
    perSecond: closed.requests / closed.seconds,
    p50Ms: quantile(closed.tookMs, 0.5),
    p99Ms: quantile(closed.tookMs, 0.99),
    openP50Ms: quantile(open.tookMs, 0.5),
    openP99Ms: quantile(open.tookMs, 0.99),
    apiServerCpuMs: (after.server - before.server) / closed.requests,
    webhookCpuMs: (after.webhook - before.webhook) / closed.requests,
    rssMiB,
  };
}

/** What a create costs, by contestant; latencies as what is added to those without any webhook in the same run. */
export async function benchCreates(
  lanes: Lanes,
  field: Field,
  server: number,
  settings: Pick<BenchSettings, "isQuick" | "runs">,
): Promise<BenchLine[]> {
  const seconds = settings.isQuick ? quickSeconds : secondsEach;
  const results = await alternating(settings.runs, field.present, async (contestant, round) => {
    const measured = await measure(lanes, field, contestant, server, seconds);
    const figures = Object.entries(measured).map(([key, value]) => `${key} ${value.toFixed(2)}`);
    console.error(`round ${round}  ${contestant.padEnd(14)} ${figures.join("  ")}`);
    return measured;
  });
  const of = (contestant: Contestant, read: (measured: Measured) => number): number =>
    median(results[contestant].map(read));
  const row = (
    name: string,
    unit: string,
    better: Better,
    read: (measured: Measured) => number,
    who: readonly Contestant[],
  ): BenchLine[] =>
    compared({
      name,
      unit,
      better,
      ours: of("shieldx", read),
      peers: Object.fromEntries(
        who
          .filter((peer) => peer !== "shieldx" && field.present.includes(peer))
          .map((peer) => [peer, of(peer, read)]),
      ),
    });
  const added = (name: string, read: (measured: Measured) => number): BenchLine[] => {
    const floor = of("none", read);
    return row(name, "ms", "less", (measured) => Math.max(0, read(measured) - floor), judges);
  };
  const judges = field.present.filter((contestant) => contestant !== "none");
  const everybody = field.present;
  return [
    ...row("Pods created, 8 in flight", "/s", "more", (m) => m.perSecond, everybody),
    ...row(
      "CPU of API server and webhook per Pod",
      "ms",
      "less",
      (m) => m.apiServerCpuMs + m.webhookCpuMs,
      everybody,
    ),
    ...added("latency added, 8 in flight, p50", (m) => m.p50Ms),
    ...added("latency added, 8 in flight, p99", (m) => m.p99Ms),
    ...added("latency added, 50 a second, p50", (m) => m.openP50Ms),
    ...added("latency added, 50 a second, p99", (m) => m.openP99Ms),
    ...(field.gatekeeper === undefined
      ? []
      : row("RSS under load", "MiB", "less", (m) => m.rssMiB, ["gatekeeper"])),
  ];
}
