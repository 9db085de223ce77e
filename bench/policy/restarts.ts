import { median } from "../lib/statistics.ts";
import type { Contestant } from "./contestants.ts";
import type { Field } from "./field.ts";
import { type Figure, type FigureLines, languages } from "./figures.ts";
import { goalSize, readyMs } from "./goals.ts";
import type { PolicyRule } from "./rules/rules.ts";
import type { PolicyBenchSettings } from "./settings.ts";

const figure: Figure = { name: "webhook's start to ready, on the cluster", unit: "ms", better: "less" };

/**
 * From the start of a webhook process to ready, with the policies that the cluster holds. Ours is asked at once about
 * Pods that break a rule: a process that is ready with a part of its policies ends the run.
 */
export async function measureRestarts(
  lines: FigureLines,
  field: Field,
  contestants: readonly Contestant[],
  rules: readonly PolicyRule[],
  settings: Pick<PolicyBenchSettings, "runs">,
): Promise<void> {
  const gatekeeper = contestants.some(({ name }) => name === "gatekeeper")
    ? await medianOf(settings.runs, async () => (await field.restartGatekeeper())?.readyMs)
    : undefined;
  for (const language of languages.filter((candidate) => candidate !== "native")) {
    const own = contestants.find(({ name }) => name === `shieldx-${language}`);
    await own?.enter();
    const ours = own && (await medianOf(settings.runs, () => restart(field, language, rules)));
    await own?.leave();
    const goal = rules.length <= goalSize ? readyMs : undefined;
    lines.add(figure, rules.length, language, ours, { gatekeeper, goal });
  }
}

async function restart(
  field: Field,
  language: "cel" | "rego",
  rules: readonly PolicyRule[],
): Promise<number | undefined> {
  const { readyMs: took } = await field.shieldx.restart();
  await field.shieldx.mustBeWhole(language, rules);
  return took;
}

async function medianOf(runs: number, run: () => Promise<number | undefined>): Promise<number> {
  const values: number[] = [];
  for (let round = 0; round < runs; round++) values.push((await run()) ?? Number.NaN);
  return median(values);
}
