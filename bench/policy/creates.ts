import { untilCalm } from "../lib/calm.ts";
import { alternating } from "../lib/rounds.ts";
import { quantile } from "../lib/statistics.ts";
import {
  cpuMsPerPod,
  describeTurn,
  type Measured,
  measureTurn,
  ratePerSecond,
  together,
} from "../lib/turn.ts";
import { type Contestant, type ContestantName, namespaceOf } from "./contestants.ts";
import type { Field } from "./field.ts";
import { type Figure, type FigureLines, languages } from "./figures.ts";
import { figureNames, goalsOf, type Results } from "./goals.ts";
import { changedPod } from "./rules/pod-change.ts";
import type { PolicyBenchSettings } from "./settings.ts";

/** Less added than this cannot be told from nothing. */
const resolutionMs = 0.1;

/** Everybody's turns at one size, together. */
export async function measureCreates(
  field: Field,
  contestants: readonly Contestant[],
  size: number,
  settings: Pick<PolicyBenchSettings, "runs" | "turnSeconds">,
): Promise<Results> {
  const apiServerPid = field.cluster.apiServers[0]?.pid;
  if (apiServerPid === undefined) throw new Error("the API server does not run");
  const pod = Buffer.from(JSON.stringify(changedPod("measured", {})));
  const byName = new Map(contestants.map((contestant) => [contestant.name, contestant]));
  const say = (when: string, name: string, measured: Measured) =>
    console.error(`${size} policies, ${when}  ${name.padEnd(14)} ${describeTurn(measured)}`);
  const turns = await alternating(settings.runs, [...byName.keys()], async (name, round) => {
    const contestant = byName.get(name);
    await contestant?.enter();
    await untilCalm(field.busyPids());
    const measured = await measureTurn({
      ...{ lanes: field.lanes, pod, apiServerPid, seconds: settings.turnSeconds },
      namespace: namespaceOf(name),
      webhookPid: contestant?.webhookPid(),
    });
    await contestant?.leave();
    say(`round ${round}`, name, measured);
    return measured;
  });
  const results = new Map([...byName.keys()].map((name) => [name, together(turns[name])]));
  for (const [name, measured] of results) say(`all ${settings.runs}`, name, measured);
  return results;
}

interface CreateFigure extends Figure {
  read(measured: Measured): number;
  /** As what is added to those whom nobody judges, in the same turns. */
  readonly isAdded?: boolean;
  /** Only processes beside the API server have it. */
  readonly isOfProcess?: boolean;
}

const latency = (loop: string, read: (measured: Measured) => readonly number[]): CreateFigure[] =>
  [50, 99].map((percent) => ({
    name: `latency added, ${loop}, p${percent}`,
    unit: "ms",
    better: "less",
    resolution: resolutionMs,
    isAdded: true,
    read: (measured) => quantile(read(measured), percent / 100),
  }));

const figures: readonly CreateFigure[] = [
  { name: figureNames.rate, unit: "/s", better: "more", read: ratePerSecond },
  { name: figureNames.cpu, unit: "ms", better: "less", read: cpuMsPerPod },
  ...latency("8 in flight", ({ closedMs }) => closedMs),
  ...latency("50 a second", ({ openMs }) => openMs),
  { name: figureNames.rss, unit: "MiB", better: "less", isOfProcess: true, read: ({ rssMiB }) => rssMiB },
];

/** Adds the figures of one size. `all` holds the results of the sizes so far, this one among them. */
export function addCreates(lines: FigureLines, size: number, all: ReadonlyMap<number, Results>): void {
  const results: Results = all.get(size) ?? new Map();
  for (const language of languages) {
    const goals = goalsOf(size, language, all);
    for (const { read, isAdded = false, isOfProcess = false, ...figure } of figures) {
      if (isOfProcess && language === "native") continue;
      const of = (name: ContestantName): number | undefined => {
        const [measured, none] = [results.get(name), results.get("none")];
        if (measured === undefined || none === undefined) return undefined;
        return isAdded ? read(measured) - read(none) : read(measured);
      };
      const others = isOfProcess ? (["gatekeeper"] as const) : peersOf(isAdded);
      const peers = Object.fromEntries(others.map((peer) => [peer, of(peer)]));
      lines.add(figure, size, language, of(`shieldx-${language}`), { ...peers, goal: goals[figure.name] });
    }
  }
}

function peersOf(isAdded: boolean): readonly ContestantName[] {
  return isAdded
    ? ["floor", "vap-one", "vap", "gatekeeper"]
    : ["none", "floor", "vap-one", "vap", "gatekeeper"];
}
