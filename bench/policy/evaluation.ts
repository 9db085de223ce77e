import { join } from "node:path";
import { chartEnvironment } from "../admission/shipped.ts";
import { MeasuredProcess } from "../lib/measured-process.ts";
import { median } from "../lib/statistics.ts";
import { type Figure, FigureLines, type Lines, languages } from "./figures.ts";
import { evaluationMs, goalSize } from "./goals.ts";
import type { ShieldLanguage } from "./render/shield-policies.ts";
import type { PolicyBenchSettings } from "./settings.ts";

const program = join(import.meta.dirname, "evaluation-process.ts");
const quantiles = ["p50", "p99"] as const;

/** Evaluation alone: one request held against all policies, each size in a process of its own, as the chart tunes it. */
export async function benchEvaluation(settings: PolicyBenchSettings): Promise<Lines> {
  const lines = new FigureLines();
  for (const language of languages.filter((candidate) => candidate !== "native")) {
    for (const size of settings.sizes) {
      const measured = await evaluations(language, size, settings);
      for (const share of quantiles) {
        const figure: Figure = { name: `evaluation alone, ${share}`, unit: "ms", better: "less" };
        const goal = size <= goalSize ? evaluationMs[share] : undefined;
        lines.add(figure, size, language, measured[share], { goal });
      }
    }
  }
  return lines.lines;
}

async function evaluations(language: ShieldLanguage, size: number, settings: PolicyBenchSettings) {
  const env = await chartEnvironment();
  const reports: Record<"p50" | "p99" | "buildMs", number>[] = [];
  for (let round = 0; round < settings.runs; round++) {
    const args = [program, language, String(size), String(settings.turnSeconds)];
    await using child = new MeasuredProcess({ command: process.execPath, args, env });
    const report = await child.report("evaluated", 300_000 + settings.turnSeconds * 1000);
    reports.push(report as (typeof reports)[number]);
  }
  const of = (key: "p50" | "p99" | "buildMs") => median(reports.map((report) => report[key]));
  const [p50, p99, buildMs] = [of("p50"), of("p99"), of("buildMs")];
  console.error(
    `${size} policies, ${language}: evaluated in ${p50.toFixed(3)} ms, p99 ${p99.toFixed(3)} ms, compiled in ${buildMs.toFixed(0)} ms`,
  );
  return { p50, p99 };
}
