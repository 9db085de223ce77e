/** How many of others' tests come out as they want, by folder: counted, and compared with what was written down. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ForeignOutcome } from "../outcome.ts";

export interface FolderResults {
  readonly cases: number;
  readonly passed: number;
  /** Cases that do not pass, by what they need. */
  readonly others: Readonly<Record<string, number>>;
}

/** By folder. */
export type SourceResults = Readonly<Record<string, FolderResults>>;

const file = join(import.meta.dirname, "results.json");

/** By name of the source. */
export function recordedResults(): Readonly<Record<string, SourceResults>> {
  return JSON.parse(readFileSync(file, "utf8")) as Readonly<Record<string, SourceResults>>;
}

/** What was written down of a source; with `WRITE_CONFORMANCE=1`, what has just been counted, which is then written down. */
export function recorded(source: string, counted: SourceResults): SourceResults | undefined {
  if (process.env.WRITE_CONFORMANCE !== "1") return recordedResults()[source];
  const all = Object.entries({ ...recordedResults(), [source]: counted });
  const sorted = Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(file, `${JSON.stringify(sorted, null, 2)}\n`);
  return counted;
}

export interface Counted {
  readonly folder: string;
  /** Names the case, wherever it is told of. */
  readonly id: string;
  readonly outcome: Pick<ForeignOutcome, "result" | "message" | "unsupported">;
}

export interface Count {
  readonly results: SourceResults;
  /** Cases that do not pass, and nobody said why. */
  readonly unexplained: readonly string[];
  /** Known differences that are none any more. */
  readonly stale: readonly string[];
}

/** Errors of ours that say themselves what is different. */
const told: readonly (readonly [message: RegExp, what: string])[] = [
  [/\.orValue\([\s\S]*resulted in error: no such overload/, "orValue of what is no optional"],
  [/Missing closing "quote/, "text that is indented too little"],
];

/** @param differences known ones by `id`, and what they come from */
export function count(all: readonly Counted[], differences: ReadonlyMap<string, string> = new Map()): Count {
  const folders = new Map<string, { cases: number; passed: number; others: Map<string, number> }>();
  const unexplained: string[] = [];
  const met = new Set<string>();
  for (const { folder, id, outcome } of all) {
    const counts = folders.get(folder) ?? { cases: 0, passed: 0, others: new Map() };
    folders.set(folder, counts);
    counts.cases++;
    if (outcome.result === "passed") {
      counts.passed++;
      continue;
    }
    const known = differences.get(id);
    if (known !== undefined) met.add(id);
    const why = known ?? whyOf(outcome);
    if (why === undefined) unexplained.push(`${folder}: ${id}: ${outcome.result}: ${outcome.message}`);
    else counts.others.set(why, (counts.others.get(why) ?? 0) + 1);
  }
  const sorted = <T>(map: ReadonlyMap<string, T>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
  const results = sorted(folders).map(
    ([folder, { others, ...counts }]) =>
      [folder, { ...counts, others: Object.fromEntries(sorted(others)) }] as const,
  );
  return {
    results: Object.fromEntries(results),
    unexplained,
    stale: [...differences.keys()].filter((id) => !met.has(id)),
  };
}

function whyOf({ result, message, unsupported }: Counted["outcome"]): string | undefined {
  if (result === "skipped") return "left out by the test itself";
  return unsupported ?? told.find(([pattern]) => pattern.test(message))?.[1];
}
