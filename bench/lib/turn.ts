/** One contestant's turn at creating Pods by dry run: as many as get answered, then at a fixed rate. */
import type { Lanes } from "./load.ts";
import { usageOf } from "./measured-process.ts";
import { median, quantile } from "./statistics.ts";

export const openRate = 50;
/** Who compiles its code while it runs is to be measured as one that has served for a while. */
const warmUpMs = 1_500;

/** What a turn showed, or several taken together. */
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

export interface Turn {
  readonly lanes: Lanes;
  readonly namespace: string;
  /** A Pod that everybody lets in. */
  readonly pod: Buffer;
  readonly apiServerPid: number;
  /** The process that judges beside the API server, if any. */
  readonly webhookPid: number | undefined;
  readonly seconds: number;
}

export async function measureTurn(turn: Turn): Promise<Measured> {
  const { lanes, namespace, pod, webhookPid } = turn;
  const usage = () => ({
    server: usageOf(turn.apiServerPid).cpuMs,
    webhook: webhookPid === undefined ? 0 : usageOf(webhookPid).cpuMs,
  });
  await lanes.closedLoop(namespace, pod, warmUpMs);
  const before = usage();
  const closed = await lanes.closedLoop(namespace, pod, turn.seconds * 1000);
  const after = usage();
  const rssMiB = webhookPid === undefined ? 0 : usageOf(webhookPid).rssBytes / 2 ** 20;
  const open = await lanes.openLoop(namespace, pod, openRate, turn.seconds * 1000);
  return {
    closedMs: closed.tookMs,
    closedSeconds: closed.seconds,
    openMs: open.tookMs,
    apiServerCpuMs: after.server - before.server,
    webhookCpuMs: after.webhook - before.webhook,
    rssMiB,
  };
}

export function together(turns: readonly Measured[]): Measured {
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

/** Pods a second, as many under way as there are lanes. */
export function ratePerSecond({ closedMs, closedSeconds }: Measured): number {
  return closedMs.length / closedSeconds;
}

/** Of the API server and the webhook, milliseconds. */
export function cpuMsPerPod({ apiServerCpuMs, webhookCpuMs, closedMs }: Measured): number {
  return (apiServerCpuMs + webhookCpuMs) / closedMs.length;
}

/** One line for people. */
export function describeTurn(measured: Measured): string {
  const each = (ms: number) => (ms / measured.closedMs.length).toFixed(2);
  const quantiles = (values: readonly number[]) =>
    [0.5, 0.99].map((share) => quantile(values, share).toFixed(1)).join("/");
  return [
    `${ratePerSecond(measured).toFixed(1)}/s`,
    `${quantiles(measured.closedMs)} ms`,
    `at ${openRate}/s ${quantiles(measured.openMs)} ms`,
    `CPU ${each(measured.apiServerCpuMs)} + ${each(measured.webhookCpuMs)} ms`,
    `RSS ${measured.rssMiB.toFixed(1)} MiB`,
  ].join(", ");
}
