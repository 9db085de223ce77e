/** Single calls: small GETs, eight in flight. */
import type { BenchLine } from "../lib/line.ts";
import { alternating } from "../lib/rounds.ts";
import type { Contestant } from "./contestants.ts";
import { startInstantServer } from "./instant.ts";
import { among, type Bench, figureLines } from "./part.ts";

export async function requests(bench: Bench): Promise<BenchLine[]> {
  const { cluster } = bench.server;
  await using instant = await startInstantServer(cluster);
  const figure = { name: "GETs of the transport, 8 in flight", unit: "a second", better: "more" } as const;
  const ofServer = await rates(bench, cluster.kubeconfig, "the API server");
  const ofInstant = await rates(bench, instant.kubeconfig, "a server that answers at once");
  return [
    ...figureLines(figure, ofServer, (perSecond) => perSecond),
    ...figureLines(
      { ...figure, name: `${figure.name}, of a server that answers at once` },
      ofInstant,
      (perSecond) => perSecond,
    ),
  ];
}

async function rates(
  bench: Bench,
  kubeconfig: string,
  server: string,
): Promise<Partial<Record<Contestant, number[]>>> {
  return await alternating(bench.rounds, among(bench, ["ShieldX", "client-node"]), async (who) => {
    await using program = bench.programs.start(who, {
      kubeconfig,
      processor: bench.processor,
      variables: { SCENARIO: "requests", SECONDS: bench.isQuick ? 0.5 : 3, WIDTH: 8 },
    });
    const { ms, requests: count } = await program.report("requests", 120_000);
    const perSecond = (Number(count) * 1000) / Number(ms);
    bench.log(`${who}, ${server}: ${Math.round(perSecond)} requests a second`);
    return perSecond;
  });
}
