import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BenchLine, parseLine } from "./line.ts";
import type { BenchSettings } from "./settings.ts";
import { renderTable, replaceBetween } from "./table.ts";

const benchFolder = join(import.meta.dirname, "..");

export interface ResultsFile {
  readonly lines: readonly BenchLine[];
  /** See `describeMachine`. */
  readonly machine: string;
}

/** The results kept of a benchmark: `runtime`, `admission`. */
export function readResults(benchmark: string): ResultsFile {
  const folder = join(benchFolder, "results", benchmark);
  if (!existsSync(folder)) return { lines: [], machine: "" };
  const lines = readFileSync(join(folder, "lines.jsonl"), "utf8")
    .split("\n")
    .filter((line) => line !== "");
  return {
    lines: lines.map(parseLine),
    machine: readFileSync(join(folder, "machine.txt"), "utf8").trim(),
  };
}

/**
 * Prints the lines, and, unless the run was a quick one, keeps them (those of the same names are replaced) and
 * brings the table in bench/README.md up to date.
 */
export function publishResults(
  benchmark: string,
  lines: readonly BenchLine[],
  machine: string,
  settings: Pick<BenchSettings, "isQuick">,
): void {
  for (const line of lines) console.log(JSON.stringify(line));
  if (settings.isQuick) return;
  const results = { lines: merged(readResults(benchmark).lines, lines), machine };
  const folder = join(benchFolder, "results", benchmark);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, "lines.jsonl"),
    results.lines.map((line) => `${JSON.stringify(line)}\n`).join(""),
  );
  writeFileSync(join(folder, "machine.txt"), `${machine}\n`);
  const readme = join(benchFolder, "README.md");
  writeFileSync(readme, replaceBetween(readFileSync(readme, "utf8"), benchmark, renderResults(results)));
}

/** What stands between a benchmark's markers in bench/README.md. */
export function renderResults({ lines, machine }: ResultsFile): string {
  return lines.length === 0 ? "Not measured yet." : `Measured on ${machine}.\n\n${renderTable(lines)}`;
}

/** The former lines, those of a name measured again replaced where they stood. */
export function merged(former: readonly BenchLine[], fresh: readonly BenchLine[]): BenchLine[] {
  const names = [...new Set([...former, ...fresh].map((line) => line.name))];
  return names.flatMap((name) => {
    const again = fresh.filter((line) => line.name === name);
    return again.length > 0 ? again : former.filter((line) => line.name === name);
  });
}
