/** What was found last, as docs/reference/charts.md shows it. */
import { readFileSync, writeFileSync } from "node:fs";
import type { Judged } from "./judged.ts";

const file = new URL("results.json", import.meta.url).pathname;

export type Recorded = Readonly<Record<string, Judged>>;

export function readRecorded(): Recorded {
  return JSON.parse(readFileSync(file, "utf8")) as Recorded;
}

/** With WRITE_CHARTS=1 what was found now is written down, and so what is expected. */
export function expectedOf(name: string, { version, objects, findings }: Judged): Judged | undefined {
  const recorded = readRecorded();
  if (process.env.WRITE_CHARTS !== "1") return recorded[name];
  const now = { ...recorded, [name]: { version, objects, findings } };
  const sorted = Object.entries(now).sort(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync(file, `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`);
  return now[name];
}
