/** Single calls: small GETs, eight in flight. */
import type { BenchLine } from "../lib/line.ts";
import { alternating } from "../lib/rounds.ts";
import { among, type Bench, figureLines } from "./part.ts";

export async function requests(bench: Bench): Promise<BenchLine[]> {
  const results = await alternating(bench.rounds, among(bench, ["ShieldX", "client-node"]), async (who) => {
    await using program = bench.programs.start(who, {
      kubeconfig: bench.server.cluster.kubeconfig,
      processor: bench.processor,
      variables: { SCENARIO: "requests", SECONDS: bench.isQuick ? 0.5 : 3, WIDTH: 8 },
    });
    const { ms, requests: count } = await program.report("requests", 120_000);
    const perSecond = (Number(count) * 1000) / Number(ms);
    bench.log(`${who}: ${Math.round(perSecond)} requests a second`);
    return perSecond;
  });
  return figureLines(
    { name: "GETs of the transport, 8 in flight", unit: "a second", better: "more" },
    results,
    (perSecond) => perSecond,
  );
}
