/** Reconciles that do nothing: what the queue and the workers themselves cost. */
import { ConfigMap } from "@shieldx/controller-runtime";
import type { BenchLine } from "../lib/line.ts";
import { alternating } from "../lib/rounds.ts";
import { median } from "../lib/statistics.ts";
import { among, type Bench, figureLines } from "./part.ts";

/** Batches before those that count: compilers and heaps settle. */
const warmUp = 3;

export async function rate(bench: Bench, workers: number): Promise<BenchLine[]> {
  const [keys, batches] = bench.isQuick ? [1_000, 2] : [20_000, 5];
  const { client, cluster } = bench.server;
  let change = 0;
  const results = await alternating(
    bench.rounds,
    among(bench, ["ShieldX", "Go controller-runtime"]),
    async (who) => {
      await using program = bench.programs.start(who, {
        kubeconfig: cluster.kubeconfig,
        processor: bench.processor,
        variables: { SCENARIO: "rate", KEYS: keys, WORKERS: workers },
      });
      await program.report("batch", 120_000); // of the first list
      const perSecond: number[] = [];
      for (let batch = 0; batch < warmUp + batches; batch++) {
        const body = { data: { change: `${who} ${++change}` } };
        await client.patch(ConfigMap, { name: "small", namespace: "bench" }, body, { type: "merge" });
        const { ms, keys: done } = await program.report("batch", 120_000);
        if (done !== keys) throw new Error(`${who} reconciled ${done} of ${keys}`);
        if (batch >= warmUp) perSecond.push((keys * 1000) / Number(ms));
      }
      bench.log(`${who}, workers ${workers}: ${Math.round(median(perSecond))} reconciles a second`);
      return median(perSecond);
    },
  );
  const name = `no-op reconciles, ${workers === 1 ? "1 worker" : `${workers} workers`}`;
  return figureLines({ name, unit: "a second", better: "more" }, results, (perSecond) => perSecond);
}
