/** A steady stream of updates: how long after the writer's own answer a reconcile begins, and what an event costs. */
import { setTimeout as delay } from "node:timers/promises";
import { waitFor } from "@shieldx/e2e/cluster";
import type { BenchLine } from "../lib/line.ts";
import type { MeasuredProcess } from "../lib/measured-process.ts";
import { alternating } from "../lib/rounds.ts";
import { quantile } from "../lib/statistics.ts";
import type { Contestant } from "./contestants.ts";
import { type Bench, figureLines } from "./part.ts";
import { type BenchServer, WidgetType } from "./server.ts";
import { namespaceOf, widget } from "./widget.ts";

const updatesPerSecond = 200;
/** Each measured by itself: what the machine does to one of them (a stolen processor) is not taken for everybody's. */
const windowSeconds = 1;

interface Write {
  readonly uid: string;
  readonly resourceVersion: number;
  /** When the writer had its answer, milliseconds of CLOCK_MONOTONIC. */
  readonly answeredAt: number;
}

interface EventsRun {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMicroseconds: number;
}

export async function events(bench: Bench, count: number, seconds: number): Promise<BenchLine[]> {
  let next = 0;
  const rounds = await alternating(bench.rounds, bench.contestants, async (who) => {
    const windows = await once(bench, who, count, () => next++ % count, seconds / windowSeconds);
    for (const { p50Ms, p99Ms, cpuMicroseconds } of windows) {
      const figures = `p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`;
      bench.log(`${who}: ${figures}, ${cpuMicroseconds.toFixed(0)} µs of CPU an event`);
    }
    return windows;
  });
  const results: Partial<Record<Contestant, EventsRun[]>> = {};
  for (const who of bench.contestants) results[who] = rounds[who].flat();
  const name = `update to reconcile beyond the writer's answer, ${updatesPerSecond} a second`;
  // Answer and event race each other, so the difference may be below nothing: shifted by 1 ms for a ratio of times.
  return [
    ...figureLines({ name: `${name}, p50 (+1 ms)`, unit: "ms", better: "less" }, results, (run) =>
      Math.max(0, run.p50Ms + 1),
    ),
    ...figureLines({ name: `${name}, p99`, unit: "ms", better: "less", goal: 5 }, results, (run) =>
      Math.max(0, run.p99Ms),
    ),
    ...figureLines(
      { name: "CPU of an event", unit: "µs", better: "less" },
      results,
      (run) => run.cpuMicroseconds,
    ),
  ];
}

async function once(
  bench: Bench,
  who: Contestant,
  count: number,
  next: () => number,
  windows: number,
): Promise<EventsRun[]> {
  const truth = await bench.server.fill(count);
  await using program = bench.programs.start(who, {
    kubeconfig: bench.server.cluster.kubeconfig,
    processor: bench.processor,
    variables: { SCENARIO: "follow", KIND: "Widget", PLURAL: "widgets", OBJECTS: truth.count },
  });
  await program.report("reconciled", 120_000);
  // Warms up both sides.
  await startsOf(program, await write(bench.server, next, updatesPerSecond / 2));
  const runs: EventsRun[] = [];
  while (runs.length < windows) runs.push(await window(bench, program, next));
  return runs;
}

async function window(bench: Bench, program: MeasuredProcess, next: () => number): Promise<EventsRun> {
  const updates = updatesPerSecond * windowSeconds;
  const before = program.usage().cpuMs;
  const writes = await write(bench.server, next, updates);
  const starts = await startsOf(program, writes);
  const cpuMs = program.usage().cpuMs - before;
  const late = [...starts].map(([{ answeredAt }, at]) => at - answeredAt);
  return {
    p50Ms: quantile(late, 0.5),
    p99Ms: quantile(late, 0.99),
    cpuMicroseconds: (cpuMs * 1000) / updates,
  };
}

/** Updates at a steady pace that does not wait for answers; resolves when all are answered. */
async function write(server: BenchServer, next: () => number, updates: number): Promise<Write[]> {
  const began = performance.now();
  const writes: Promise<Write>[] = [];
  while (writes.length < updates) {
    const due = Math.min(updates, Math.floor(((performance.now() - began) / 1000) * updatesPerSecond) + 1);
    while (writes.length < due) writes.push(writeOne(server, next()));
    await delay(1);
  }
  return Promise.all(writes);
}

async function writeOne(server: BenchServer, at: number): Promise<Write> {
  const key = { name: widget(at).metadata.name, namespace: namespaceOf(at) };
  const body = { status: { observed: String(performance.now()) } };
  const answer = await server.client.patch(WidgetType, key, body, { type: "merge" });
  const answeredAt = Number(process.hrtime.bigint()) / 1e6;
  const { uid = "", resourceVersion } = answer.metadata;
  return { uid, resourceVersion: Number(resourceVersion), answeredAt };
}

interface Start {
  readonly uid: string;
  readonly resourceVersion: number;
  readonly at: number;
}

/** Waits until there is a reconcile for each write. Returns when they began, by write. */
async function startsOf(program: MeasuredProcess, writes: readonly Write[]): Promise<Map<Write, number>> {
  const starts: Start[] = [];
  const found = new Map<Write, number>();
  await waitFor(
    `${writes.length} reconciles`,
    async () => {
      program.tell("starts");
      const { starts: fresh } = await program.report("starts", 30_000);
      for (const [uid, version, at] of fresh as [string, string, number][]) {
        starts.push({ uid, resourceVersion: Number(version), at });
      }
      for (const write of writes) {
        if (found.has(write)) continue;
        const start = starts.find(
          (one) => one.uid === write.uid && one.resourceVersion >= write.resourceVersion,
        );
        if (start !== undefined) found.set(write, start.at);
      }
      return found.size === writes.length;
    },
    { timeoutMs: 60_000 },
  );
  return found;
}
