import { expect } from "vitest";
import { seeded, seedOfRun } from "../seed.test-kit.ts";
import { type ElectionBed, namespace } from "./bed.test-kit.ts";
import { ElectionProcess } from "./election-process-client.test-kit.ts";

/** A quarter of the defaults, so that many stalls fit into a run. */
const timing = { leaseDurationMs: 4_000, renewDeadlineMs: 2_700, retryPeriodMs: 500 };

export interface StallSize {
  readonly pairs: number;
  readonly stallsEach: number;
}

/** Leaders whose event loop stands still past their Lease while their queue of requests is full. */
export async function stall(bed: ElectionBed, { pairs, stallsEach }: StallSize): Promise<void> {
  const seed = seedOfRun("stalled leaders");
  const leases = Array.from({ length: pairs }, (_, at) => `stalled-${at}`);
  await bed.prepare(leases, 16);
  const accounts: string[] = [];
  await Promise.all(
    leases.map((lease, at) => stallLeaders(bed, lease, stallsEach, seeded(seed + at), accounts)),
  );
  const { records, late, line } = await bed.judge(leases);
  console.log(`${pairs * stallsEach} stalls: ${line}`);
  for (const lease of leases) {
    const holders = records.get(lease)?.acquisitions.filter(({ holder }) => holder !== "") ?? [];
    expect(holders.length, `holders of ${lease}`).toBeGreaterThanOrEqual(stallsEach + 1);
  }
  expect(late, `as the leaders have it:\n${accounts.join("\n")}\n`).toEqual([]);
}

async function stallLeaders(
  bed: ElectionBed,
  lease: string,
  times: number,
  random: () => number,
  accounts: string[],
): Promise<void> {
  let count = 0;
  const start = (): ElectionProcess =>
    new ElectionProcess(bed.kubeconfig, {
      lease,
      namespace,
      identity: `${lease}-${count++}`,
      timing,
      // One write is on its way, fifteen wait for the connection.
      maxConnections: 1,
      pauseMs: 20,
    });
  let leader = start();
  let standby: ElectionProcess | undefined;
  try {
    await leader.tells("leading");
    for (let stalls = 0; stalls < times; ) {
      standby = start();
      await standby.tells("ready");
      // From just past the leader's own deadline until long after the other has taken over.
      leader.stall(timing.renewDeadlineMs + 200 + random() * 4_000);
      await leader.tells("lost");
      // On a busy machine it may have been too late for its Lease before it was told to stand still.
      if (leader.news.includes("woke")) stalls++;
      await leader.exited;
      accounts.push(`${leader.identity}: ${JSON.stringify(leader.account)}`);
      await standby.tells("leading");
      leader = standby;
    }
  } finally {
    await leader.end();
    await standby?.end();
  }
}
