/** From the start of the process until its cache is full, and until everything in it was reconciled once. */
import type { BenchLine } from "../lib/line.ts";
import { alternating } from "../lib/rounds.ts";
import type { Contestant } from "./contestants.ts";
import { type Bench, figureLines } from "./part.ts";
import type { Truth } from "./server.ts";

interface SyncRun {
  readonly syncedSeconds: number;
  readonly reconciledSeconds: number;
  readonly peakMebibytes: number;
}

export async function sync(bench: Bench, count: number): Promise<BenchLine[]> {
  const truth = await bench.server.fill(count);
  bench.log(`${count} widgets, ${Math.round(truth.averageBytes)} bytes each as served`);
  const results = await alternating(bench.rounds, bench.contestants, async (who) => {
    const result = await once(bench, who, truth);
    bench.log(
      `${who}: in sync ${result.syncedSeconds.toFixed(2)} s, reconciled ${result.reconciledSeconds.toFixed(2)} s, ` +
        `at most ${result.peakMebibytes.toFixed(0)} MiB`,
    );
    return result;
  });
  const what = `${count.toLocaleString("en")} objects`;
  const isLarge = count >= 100_000;
  return [
    ...figureLines(
      { name: `first sync of ${what}`, unit: "s", better: "less" },
      results,
      (run) => run.syncedSeconds,
    ),
    ...figureLines(
      { name: `${what} reconciled once`, unit: "s", better: "less" },
      results,
      (run) => run.reconciledSeconds,
    ),
    ...figureLines(
      {
        name: `most RSS until ${what} are reconciled`,
        unit: "MiB",
        better: "less",
        ...(isLarge ? { goal: 600 } : {}),
      },
      results,
      (run) => run.peakMebibytes,
    ),
  ];
}

async function once(bench: Bench, who: Contestant, truth: Truth): Promise<SyncRun> {
  await using program = bench.programs.start(who, {
    kubeconfig: bench.server.cluster.kubeconfig,
    processor: bench.processor,
    variables: { SCENARIO: "follow", KIND: "Widget", PLURAL: "widgets", OBJECTS: truth.count },
  });
  const [synced, reconciled] = await Promise.all([
    program.report("synced", 180_000),
    program.report("reconciled", 180_000),
  ]);
  if (reconciled.objects !== truth.count || reconciled.sum !== truth.sum) {
    throw new Error(`${who} holds ${JSON.stringify(reconciled)}, the API server ${JSON.stringify(truth)}`);
  }
  const seconds = (at: unknown): number => (Number(at) - program.startedAt) / 1000;
  return {
    syncedSeconds: seconds(synced.at),
    reconciledSeconds: seconds(reconciled.at),
    peakMebibytes: program.usage().peakRssBytes / 2 ** 20,
  };
}
