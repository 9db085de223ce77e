import { type BenchLine, type Better, compared } from "../lib/line.ts";
import type { Lanes } from "../lib/load.ts";
import { alternating } from "../lib/rounds.ts";
import type { BenchSettings } from "../lib/settings.ts";
import { quantile } from "../lib/statistics.ts";
import {
  cpuMsPerPod,
  describeTurn,
  type Measured,
  measureTurn,
  ratePerSecond,
  together,
} from "../lib/turn.ts";
import { type Contestant, type Field, namespaceOf } from "./contestants.ts";
import { typicalPod } from "./pods.ts";

/** Many short turns rather than few long ones: whatever else the machine does then meets everybody alike. */
const turnsPerRun = 4;
const secondsPerTurn = 1;
const quickSeconds = 0.5;
/** Less added than this cannot be told from nothing. */
const resolutionMs = 0.1;

/** What a create costs, by contestant; latencies as what is added to those without any webhook in the same run. */
export async function benchCreates(
  lanes: Lanes,
  field: Field,
  server: number,
  settings: Pick<BenchSettings, "isQuick" | "runs">,
): Promise<BenchLine[]> {
  const seconds = settings.isQuick ? quickSeconds : secondsPerTurn;
  const pod = Buffer.from(JSON.stringify(typicalPod("measured")));
  const rounds = settings.isQuick ? settings.runs : settings.runs * turnsPerRun;
  const turns = await alternating(rounds, field.present, async (contestant, round) => {
    const measured = await measureTurn({
      lanes,
      namespace: namespaceOf(contestant),
      pod,
      apiServerPid: server,
      webhookPid: field.webhookPid(contestant),
      seconds,
    });
    console.error(`round ${round}  ${contestant.padEnd(14)} ${describeTurn(measured)}`);
    return measured;
  });
  const results = new Map(field.present.map((contestant) => [contestant, together(turns[contestant])]));
  for (const [contestant, measured] of results) {
    console.error(`all ${rounds}  ${contestant.padEnd(14)} ${describeTurn(measured)}`);
  }
  const of = (contestant: Contestant, read: (measured: Measured) => number): number => {
    const measured = results.get(contestant);
    return measured === undefined ? Number.NaN : read(measured);
  };
  const row = (
    name: string,
    unit: string,
    better: Better,
    read: (measured: Measured) => number,
    who: readonly Contestant[],
    resolution?: number,
  ): BenchLine[] =>
    compared({
      ...(resolution === undefined ? {} : { resolution }),
      name,
      unit,
      better,
      ours: of("shieldx", read),
      peers: Object.fromEntries(
        who
          .filter((peer) => peer !== "shieldx" && field.present.includes(peer))
          .map((peer) => [peer, of(peer, read)]),
      ),
    });
  const added = (name: string, read: (measured: Measured) => number): BenchLine[] => {
    const without = of("none", read);
    return row(name, "ms", "less", (measured) => read(measured) - without, asked, resolutionMs);
  };
  const asked = field.present.filter((contestant) => contestant !== "none");
  const everybody = field.present;
  return [
    ...row("Pods created, 8 in flight", "/s", "more", ratePerSecond, everybody),
    ...row("CPU of API server and webhook per Pod", "ms", "less", cpuMsPerPod, everybody),
    ...added("latency added, 8 in flight, p50", (m) => quantile(m.closedMs, 0.5)),
    ...added("latency added, 8 in flight, p99", (m) => quantile(m.closedMs, 0.99)),
    ...added("latency added, 50 a second, p50", (m) => quantile(m.openMs, 0.5)),
    ...added("latency added, 50 a second, p99", (m) => quantile(m.openMs, 0.99)),
    ...(field.gatekeeper === undefined
      ? []
      : row("RSS under load", "MiB", "less", (m) => m.rssMiB, ["gatekeeper"])),
  ];
}
