/** What a full cache costs while nothing happens, and how large an object in it is. */
import { setTimeout as delay } from "node:timers/promises";
import type { BenchLine } from "../lib/line.ts";
import type { MeasuredProcess } from "../lib/measured-process.ts";
import type { Contestant } from "./contestants.ts";
import { type Bench, figureLines } from "./part.ts";

const settleMs = 10_000;

interface IdleWindow {
  readonly cpuMsPerMinute: number;
  readonly mebibytes: number;
}

export async function idle(bench: Bench, count: number): Promise<BenchLine[]> {
  await bench.server.fill(count);
  const windows: Partial<Record<Contestant, IdleWindow[]>> = {};
  const heaps: Partial<Record<Contestant, number[]>> = {};
  await withEverybody(bench, "Widget", count, async (programs) => {
    await delay(bench.isQuick ? 1_000 : settleMs);
    // All at once: processes that do nothing do not disturb each other.
    for (let round = 0; round < bench.rounds; round++) {
      const windowMs = bench.isQuick ? 1_000 : 12_000;
      const before = programs.map(([, program]) => program.usage().cpuMs);
      await delay(windowMs);
      for (const [at, [who, program]] of programs.entries()) {
        const { cpuMs, rssBytes } = program.usage();
        const spent = (cpuMs - (before[at] ?? 0)) * (60_000 / windowMs);
        windows[who] = [...(windows[who] ?? []), { cpuMsPerMinute: spent, mebibytes: rssBytes / 2 ** 20 }];
      }
    }
    for (const [who, program] of programs) heaps[who] = [await heapOf(program)];
  });
  await withEverybody(bench, "Gadget", 0, async (programs) => {
    for (const [who, program] of programs) {
      const empty = await heapOf(program);
      heaps[who] = (heaps[who] ?? []).map((full) => (full - empty) / count);
    }
  });
  const rows = [
    ...figureLines(
      { name: "heap of an object after collection", unit: "B", better: "less", goal: 2_500 },
      heaps,
      (bytes: number) => bytes,
    ),
    ...figureLines(
      { name: `CPU at idle with ${count.toLocaleString("en")} objects`, unit: "ms a minute", better: "less" },
      windows,
      (window) => window.cpuMsPerMinute,
    ),
    ...figureLines(
      { name: `RSS at idle with ${count.toLocaleString("en")} objects`, unit: "MiB", better: "less" },
      windows,
      (window) => window.mebibytes,
    ),
  ];
  return rows;
}

async function heapOf(program: MeasuredProcess): Promise<number> {
  program.tell("heap");
  return Number((await program.report("heap", 60_000)).bytes);
}

async function withEverybody(
  bench: Bench,
  kind: string,
  objects: number,
  work: (programs: (readonly [Contestant, MeasuredProcess])[]) => Promise<void>,
): Promise<void> {
  const programs: (readonly [Contestant, MeasuredProcess])[] = [];
  try {
    for (const who of bench.contestants) {
      const program = bench.programs.start(who, {
        kubeconfig: bench.server.cluster.kubeconfig,
        processor: bench.processor,
        variables: { SCENARIO: "follow", KIND: kind, PLURAL: `${kind.toLowerCase()}s`, OBJECTS: objects },
        measuresHeap: true,
      });
      programs.push([who, program]);
      await program.report("reconciled", 120_000);
    }
    await work(programs);
  } finally {
    for (const [, program] of programs) await program.stop();
  }
}
