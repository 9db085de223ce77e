import { startCluster } from "../../e2e/cluster/index.ts";
import { Lanes, targetOf } from "../lib/load.ts";
import { addCreates, measureCreates } from "./creates.ts";
import { Field } from "./field.ts";
import { FigureLines, type Lines } from "./figures.ts";
import type { Results } from "./goals.ts";
import { measureRestarts } from "./restarts.ts";
import { judgedPods, rulesOf, spread } from "./rules/rules.ts";
import type { PolicyBenchSettings } from "./settings.ts";
import { compareVerdicts } from "./verdicts.ts";

const laneCount = 8;
/** All of them up to 200 rules; each has to be judged by everybody. */
const mostPods = 500;

/** Everybody on one API server, size after size: verdicts first, then creates, then starts. */
export async function benchOnCluster(settings: PolicyBenchSettings): Promise<Lines> {
  await using cluster = await startCluster({
    name: `bench-policy-${process.pid}`,
    kubernetes: settings.kubernetes,
  });
  const lanes = new Lanes(targetOf(cluster.kubeconfig), laneCount);
  try {
    const field = await Field.setUp(cluster, lanes, settings);
    try {
      return await sizeAfterSize(field, settings);
    } finally {
      await field.stop();
    }
  } finally {
    await lanes.close();
  }
}

async function sizeAfterSize(field: Field, settings: PolicyBenchSettings): Promise<Lines> {
  const all = new Map<number, Results>();
  const lines = new FigureLines();
  for (const size of settings.sizes.toSorted((a, b) => a - b)) {
    const rules = rulesOf(size);
    const pods = spread(judgedPods(rules), mostPods);
    const contestants = await field.contestants(rules);
    const { judged, refused } = await compareVerdicts(field.lanes, contestants, pods);
    const judges = contestants.filter(({ isJudge }) => isJudge).map(({ name }) => name);
    console.error(
      `${size} policies: verdicts equal on ${judged} Pods, ${refused} of them refused: ${judges}`,
    );
    all.set(size, await measureCreates(field, contestants, size, settings));
    addCreates(lines, size, all);
    await measureRestarts(lines, field, contestants, rules, settings);
  }
  return lines.lines;
}
