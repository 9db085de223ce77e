import { setTimeout as delay } from "node:timers/promises";
import { waitFor } from "@shieldx/e2e/cluster";
import { expect } from "vitest";
import { ConfigMap } from "../../index.ts";
import { seeded, seedOfRun } from "../seed.test-kit.ts";
import { type ElectionBed, namespace } from "./bed.test-kit.ts";
import { ElectionProcess } from "./election-process-client.test-kit.ts";
import { percentile, takeoverMs } from "./leadership-judge.test-kit.ts";

export interface TakeoverSize {
  readonly pairs: number;
  /** Of each pair, in this order. */
  readonly killsEach: number;
  readonly termsEach: number;
}

interface Handover {
  readonly lease: string;
  readonly signal: NodeJS.Signals;
  readonly at: number;
  readonly former: string;
}

/** Two real processes per Lease with the default durations; the leader ends, the other takes over. */
export async function takeOver(
  bed: ElectionBed,
  { pairs, killsEach, termsEach }: TakeoverSize,
): Promise<void> {
  const seed = seedOfRun("takeover");
  const leases = Array.from({ length: pairs }, (_, at) => `pair-${at}`);
  await bed.prepare(leases, 2);
  const signals: NodeJS.Signals[] = [
    ...Array.from({ length: killsEach }, () => "SIGKILL" as const),
    ...Array.from({ length: termsEach }, () => "SIGTERM" as const),
  ];
  const handovers = await Promise.all(
    leases.map((lease, at) => handOver(bed, lease, signals, seeded(seed + at))),
  );
  const { records, late, line } = await bed.judge(leases);
  console.log(`takeover: ${line}`);
  const took = (wanted: NodeJS.Signals): number[] =>
    handovers.flat().flatMap(({ lease, signal, at, former }) => {
      const record = records.get(lease);
      return signal === wanted && record !== undefined ? [takeoverMs(record, at, former)] : [];
    });
  for (const [signal, boundMs] of [
    ["SIGKILL", 17_000],
    ["SIGTERM", 3_000],
  ] as const) {
    const values = took(signal);
    const [p50, p99, most] = [0.5, 0.99, 1].map((share) => Math.round(percentile(values, share)));
    console.log(
      `${values.length} takeovers after ${signal}: p50 ${p50} ms, p99 ${p99} ms, longest ${most} ms`,
    );
    expect(p99).toBeLessThan(boundMs);
  }
  expect(late).toEqual([]);
}

async function handOver(
  bed: ElectionBed,
  lease: string,
  signals: readonly NodeJS.Signals[],
  random: () => number,
): Promise<Handover[]> {
  let count = 0;
  const start = (): ElectionProcess =>
    new ElectionProcess(bed.kubeconfig, {
      lease,
      namespace,
      identity: `${lease}-${count++}`,
      maxConnections: 4,
      pauseMs: 250,
    });
  const handovers: Handover[] = [];
  let leader = start();
  let standby: ElectionProcess | undefined;
  try {
    await leader.tells("leading");
    for (const signal of signals) {
      standby = start();
      await standby.tells("ready");
      await delay(random() * 2_000); // anywhere between two renewals
      handovers.push({ lease, signal, at: leader.kill(signal), former: leader.identity });
      await standby.tells("leading");
      await leader.exited;
      leader = standby;
    }
    const last = leader.identity;
    await waitFor(`a write of ${last}`, () => hasWritten(bed, lease, last), { timeoutMs: 10_000 });
    return handovers;
  } finally {
    await leader.end();
    await standby?.end();
  }
}

async function hasWritten(bed: ElectionBed, lease: string, identity: string): Promise<boolean> {
  const { data } = await bed.client.get(ConfigMap, { name: `${lease}.0`, namespace });
  return data?.by === identity;
}
