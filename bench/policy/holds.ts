import { join } from "node:path";
import { chartEnvironment } from "../admission/shipped.ts";
import { compared } from "../lib/line.ts";
import { MeasuredProcess } from "../lib/measured-process.ts";
import type { Lines } from "./figures.ts";
import { holdMs } from "./goals.ts";
import type { PolicyBenchSettings } from "./settings.ts";

const program = join(import.meta.dirname, "holds-process.ts");

/**
 * How long one request with a large Pod keeps others from being answered, whatever the rules: the longest turn of any, first
 * evaluations included, which nothing was made fast for.
 */
export async function benchHolds({ runs }: PolicyBenchSettings): Promise<Lines> {
  const env = await chartEnvironment();
  const lines: Lines[] = [];
  for (const language of ["cel", "rego"] as const) {
    const args = [program, language, String(runs)];
    await using child = new MeasuredProcess({ command: process.execPath, args, env });
    const { longestMs } = (await child.report("held", 300_000)) as { readonly longestMs: number };
    const name = `most CPU that hostile rules take before others have their turn, ${language}`;
    const figure = { name, unit: "ms", better: "less" as const };
    lines.push(compared({ ...figure, ours: longestMs, peers: { goal: holdMs } }));
  }
  return lines.flat();
}
