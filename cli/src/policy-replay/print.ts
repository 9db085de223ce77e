import type { ReplayChange, ReplayedRequest, Said } from "@shieldx/policy-engine";
import { type JunitSuite, junit } from "../output/junit.ts";
import { painted, table } from "../output/table.ts";
import type { Style, Terminal } from "../output/terminal.ts";

export interface ReplayedRecord extends ReplayedRequest {
  readonly file: string;
  readonly line: number;
}

const words: Record<Exclude<ReplayChange, "none">, readonly [text: string, style: Style]> = {
  denied: ["allowed -> denied", "red"],
  allowed: ["denied -> allowed", "yellow"],
  message: ["message", "dim"],
};

export function printReplay(
  records: readonly ReplayedRecord[],
  format: "table" | "json" | "junit",
  terminal: Terminal,
): void {
  switch (format) {
    case "table":
      printTable(records, terminal);
      break;
    case "json":
      printJson(records, terminal);
      break;
    case "junit":
      terminal.out(junit(suitesOf(records)));
      break;
    default:
      format satisfies never;
  }
}

function nameOf({ request: { operation, kind, namespace = "", name = "" } }: ReplayedRecord): string {
  return `${operation} ${kind.kind} ${namespace === "" ? "" : `${namespace}/`}${name}`;
}

/** What only one side says. */
function differing(these: readonly Said[], others: readonly Said[]): string[] {
  const known = new Set(others.map(({ message }) => message));
  return these.map(({ message }) => message).filter((message) => !known.has(message));
}

function whyOf(record: ReplayedRecord): string {
  const [before, now] = [record.old, record.new].map(({ denials, warnings }) => [...denials, ...warnings]);
  const gone = differing(before ?? [], now ?? []).map((message) => `- ${message}`);
  const come = differing(now ?? [], before ?? []).map((message) => `+ ${message}`);
  return [...gone, ...come].join("; ");
}

function printTable(records: readonly ReplayedRecord[], terminal: Terminal): void {
  const rows = records.flatMap((record) => {
    if (record.change === "none") return [];
    const [text, style] = words[record.change];
    return [[`${record.file}:${record.line}`, nameOf(record), painted(terminal, style, text), whyOf(record)]];
  });
  if (rows.length > 0) terminal.out(table(["where", "request", "change", "what is said"], rows));
  for (const policy of untoldBy(records))
    terminal.err(`note: ShieldPolicy "${policy}" asks what only a cluster knows: what it says is left out\n`);
  terminal.err(summary(records));
}

function untoldBy(records: readonly ReplayedRecord[]): string[] {
  return [...new Set(records.flatMap((record) => [...record.old.untold, ...record.new.untold]))].sort();
}

function countsOf(records: readonly ReplayedRecord[]): Record<ReplayChange, number> {
  const counts = { denied: 0, allowed: 0, message: 0, none: 0 };
  for (const { change } of records) counts[change]++;
  return counts;
}

function summary(records: readonly ReplayedRecord[]): string {
  const { denied, allowed, message, none } = countsOf(records);
  const all = records.length === 1 ? "1 request" : `${records.length} requests`;
  return `${all}: ${denied} refused that passed, ${allowed} let pass that were refused, ${message} with another message, ${none} as before\n`;
}

function printJson(records: readonly ReplayedRecord[], terminal: Terminal): void {
  const changes = records
    .filter(({ change }) => change !== "none")
    .map((record) => ({
      file: record.file,
      line: record.line,
      request: nameOf(record),
      change: record.change,
      old: record.old,
      new: record.new,
    }));
  const counts = countsOf(records);
  terminal.out(
    `${JSON.stringify({ requests: records.length, counts, untold: untoldBy(records), changes }, null, 2)}\n`,
  );
}

/** A request is a case that has to be decided as before. */
function suitesOf(records: readonly ReplayedRecord[]): JunitSuite[] {
  const byFile = Map.groupBy(records, ({ file }) => file);
  return [...byFile].map(([file, ofFile]) => ({
    name: file,
    file,
    cases: ofFile.map((record) => ({
      name: `${record.line}: ${nameOf(record)}`,
      seconds: 0,
      ...(record.change === "none"
        ? {}
        : { problem: { kind: "failure" as const, message: `${words[record.change][0]}: ${whyOf(record)}` } }),
    })),
  }));
}
