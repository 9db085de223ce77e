import type { BenchedPolicy, BenchReport, SpentLanguage, SpentWork } from "@shieldx/policy-engine";
import { type Cell, painted, table } from "../output/table.ts";
import type { Terminal } from "../output/terminal.ts";
import { printable } from "../printable.ts";
import type { MeasuredRequest } from "./requests.ts";

type Figures = BenchReport["together"];

export function printBench(
  report: BenchReport,
  requests: readonly MeasuredRequest[],
  format: "table" | "json",
  terminal: Terminal,
): void {
  switch (format) {
    case "table":
      printTable(report, requests.length, terminal);
      break;
    case "json":
      printJson(report, requests, terminal);
      break;
    default:
      format satisfies never;
  }
}

const head = [
  "policy",
  "engine",
  "requests",
  "p50 ms",
  "p99 ms",
  "cost",
  "of limit",
  "long lists",
  "of limit",
];

function printTable({ policies, together }: BenchReport, requests: number, terminal: Terminal): void {
  const rows = policies.flatMap((each) => rowsOf([each.policy, each.engine], each, terminal));
  // What may be spent is a limit of each policy, not of all.
  const all = rowsOf([`all ${policies.length} together`, ""], together, terminal).map((cells) =>
    cells.map((cell, column) => (head[column] === "of limit" ? "-" : cell)),
  );
  terminal.out(table(head, policies.length > 1 ? [...rows, ...all] : rows));
  for (const note of policies.flatMap(notesOn)) terminal.err(`${printable(note)}\n`);
  const many = requests === 1 ? "1 request" : `${requests} requests`;
  const samples = policies.reduce((sum, { time }) => sum + (time?.samples ?? 0), together.time?.samples ?? 0);
  terminal.err(`${many}, ${samples} judgements timed on this machine; cost is the same on any\n`);
}

/** One for each language that something is spent in, so that units of two are not mixed. */
function rowsOf(name: readonly Cell[], { requests, time, spent }: Figures, terminal: Terminal): Cell[][] {
  const timed = [String(requests), ms(time?.p50Ms), ms(time?.p99Ms)];
  const kinds = (Object.entries(spent) as [SpentLanguage, SpentWork][]).map(([language, work]) => [
    `${work.most} ${language}`,
    share(work.most, work.limit),
    work.failsWithLongLists ? painted(terminal, "red", "ended") : String(work.withLongLists),
    share(work.withLongLists, work.limit),
  ]);
  const [first = ["-", "-", "-", "-"], ...more] = kinds;
  return [[...name, ...timed, ...first], ...more.map((cells) => ["", "", "", "", "", ...cells])];
}

function ms(value: number | undefined): string {
  return value === undefined ? "-" : value.toFixed(4);
}

function share(units: number, limit: number): string {
  return `${((100 * units) / limit).toFixed(2)} %`;
}

function notesOn({ policy, requests, untold, failed }: BenchedPolicy): string[] {
  const named = `note: ShieldPolicy "${policy}"`;
  return [
    ...(untold > 0 ? [`${named} asks what only a cluster knows about ${untold} requests: not measured`] : []),
    ...(failed > 0 ? [`${named} comes to no verdict on ${failed} requests`] : []),
    ...(requests + untold === 0 ? [`${named} is about none of the requests: give it some with --file`] : []),
  ];
}

function printJson(report: BenchReport, requests: readonly MeasuredRequest[], terminal: Terminal): void {
  const placed = <T extends Figures>(figures: T) => ({
    ...figures,
    time: figures.time ?? null,
    spent: Object.fromEntries(
      Object.entries(figures.spent).map(([language, { mostAt, ...work }]) => {
        const { file, line } = requests[mostAt] ?? { file: "", line: 1 };
        return [language, { ...work, mostAt: { file, line } }];
      }),
    ),
  });
  const { policies, together } = report;
  const shown = {
    requests: requests.length,
    policies: policies.map(placed),
    together: placed(together),
  };
  terminal.out(`${JSON.stringify(shown, null, 2)}\n`);
}
