/** Single calls: small GETs, eight in flight. */
import type { BenchLine } from "../lib/line.ts";
import { alternating } from "../lib/rounds.ts";
import { type Bench, figureLines } from "./part.ts";

export async function requests(bench: Bench): Promise<BenchLine[]> {
  const counts = {
    ShieldX: bench.isQuick ? 200 : 10_000,
    "client-node": bench.isQuick ? 50 : 1_000,
  } as const;
  const results = await alternating(bench.rounds, ["ShieldX", "client-node"] as const, async (who) => {
    await using program = bench.programs.start(who, {
      kubeconfig: bench.server.cluster.kubeconfig,
      processor: bench.processor,
      variables: { SCENARIO: "requests", REQUESTS: counts[who], WIDTH: 8 },
    });
    const { ms } = await program.report("requests", 120_000);
    const perSecond = (counts[who] * 1000) / Number(ms);
    bench.log(`${who}: ${Math.round(perSecond)} requests a second`);
    return perSecond;
  });
  return figureLines(
    { name: "GETs of the transport, 8 in flight", unit: "a second", better: "more" },
    results,
    (perSecond) => perSecond,
  );
}
