import { type BenchLine, type Better, compared } from "../lib/line.ts";
import { usageOf } from "../lib/measured-process.ts";
import { alternating } from "../lib/rounds.ts";
import type { BenchSettings } from "../lib/settings.ts";
import { median, quantile } from "../lib/statistics.ts";
import { type Contestant, type Field, namespaceOf } from "./contestants.ts";
import type { Lanes } from "./load.ts";
import { typicalPod } from "./pods.ts";

const openRate = 50;
/** Many short turns rather than few long ones: whatever else the machine does then meets everybody alike. */
const turnsPerRun = 4;
const secondsPerTurn = 1;
const quickSeconds = 0.5;
const warmUpMs = 200;
/** Less added than this cannot be told from nothing. */
const resolutionMs = 0.1;

/** One contestant's turn, or several taken together. */
export interface Measured {
  readonly closedMs: readonly number[];
  readonly closedSeconds: number;
  readonly openMs: readonly number[];
  /** Of the API server and of the webhook, milliseconds, during the closed loop. */
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
  await lanes.closedLoop(namespace, pod, warmUpMs);
  const before = usage();
  const closed = await lanes.closedLoop(namespace, pod, seconds * 1000);
  const after = usage();
  const rssMiB = webhook === undefined ? 0 : usageOf(webhook).rssBytes / 2 ** 20;
  const open = await lanes.openLoop(namespace, pod, openRate, seconds * 1000);
  return {
    closedMs: closed.tookMs,
    closedSeconds: closed.seconds,
    openMs: open.tookMs,
    apiServerCpuMs: after.server - before.server,
    webhookCpuMs: after.webhook - before.webhook,
    rssMiB,
  };
}

function together(turns: readonly Measured[]): Measured {
  const total = (read: (turn: Measured) => number) => turns.reduce((sum, turn) => sum + read(turn), 0);
  return {
    closedMs: turns.flatMap(({ closedMs }) => closedMs),
    closedSeconds: total(({ closedSeconds }) => closedSeconds),
    openMs: turns.flatMap(({ openMs }) => openMs),
    apiServerCpuMs: total(({ apiServerCpuMs }) => apiServerCpuMs),
    webhookCpuMs: total(({ webhookCpuMs }) => webhookCpuMs),
    rssMiB: median(turns.map(({ rssMiB }) => rssMiB)),
  };
}

function show(measured: Measured): string {
  const each = (ms: number) => (ms / measured.closedMs.length).toFixed(2);
  const quantiles = (values: readonly number[]) =>
    [0.5, 0.99].map((share) => quantile(values, share).toFixed(1)).join("/");
  return [
    `${(measured.closedMs.length / measured.closedSeconds).toFixed(1)}/s`,
    `${quantiles(measured.closedMs)} ms`,
    `at ${openRate}/s ${quantiles(measured.openMs)} ms`,
    `CPU ${each(measured.apiServerCpuMs)} + ${each(measured.webhookCpuMs)} ms`,
    `RSS ${measured.rssMiB.toFixed(1)} MiB`,
  ].join(", ");
}

/** What a create costs, by contestant; latencies as what is added to those without any webhook in the same run. */
export async function benchCreates(
  lanes: Lanes,
  field: Field,
  server: number,
  settings: Pick<BenchSettings, "isQuick" | "runs">,
): Promise<BenchLine[]> {
  const seconds = settings.isQuick ? quickSeconds : secondsPerTurn;
  const rounds = settings.isQuick ? settings.runs : settings.runs * turnsPerRun;
  const turns = await alternating(rounds, field.present, async (contestant, round) => {
    const measured = await measure(lanes, field, contestant, server, seconds);
    console.error(`round ${round}  ${contestant.padEnd(14)} ${show(measured)}`);
    return measured;
  });
  const results = new Map(field.present.map((contestant) => [contestant, together(turns[contestant])]));
  for (const [contestant, measured] of results) {
    console.error(`all ${rounds}  ${contestant.padEnd(14)} ${show(measured)}`);
  }
  const of = (contestant: Contestant, read: (measured: Measured) => number): number => {
    const measured = results.get(contestant);
    return measured === undefined ? Number.NaN : read(measured);
  };
  const row = (
    name: string,
    unit: string,
    better: Better,
    read: (measured: Measured) => number,
    who: readonly Contestant[],
    resolution?: number,
  ): BenchLine[] =>
    compared({
      ...(resolution === undefined ? {} : { resolution }),
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
    const without = of("none", read);
    return row(name, "ms", "less", (measured) => read(measured) - without, asked, resolutionMs);
  };
  const asked = field.present.filter((contestant) => contestant !== "none");
  const everybody = field.present;
  return [
    ...row("Pods created, 8 in flight", "/s", "more", (m) => m.closedMs.length / m.closedSeconds, everybody),
    ...row(
      "CPU of API server and webhook per Pod",
      "ms",
      "less",
      (m) => (m.apiServerCpuMs + m.webhookCpuMs) / m.closedMs.length,
      everybody,
    ),
    ...added("latency added, 8 in flight, p50", (m) => quantile(m.closedMs, 0.5)),
    ...added("latency added, 8 in flight, p99", (m) => quantile(m.closedMs, 0.99)),
    ...added("latency added, 50 a second, p50", (m) => quantile(m.openMs, 0.5)),
    ...added("latency added, 50 a second, p99", (m) => quantile(m.openMs, 0.99)),
    ...(field.gatekeeper === undefined
      ? []
      : row("RSS under load", "MiB", "less", (m) => m.rssMiB, ["gatekeeper"])),
  ];
}
