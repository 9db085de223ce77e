import { percentCovered, type RegoCoverage } from "@shieldx/policy-engine";
import { type JunitSuite, junit } from "../output/junit.ts";
import { sarif } from "../output/sarif.ts";
import { painted, table } from "../output/table.ts";
import type { Style, Terminal } from "../output/terminal.ts";
import { shieldctlVersion } from "../version.ts";
import { type SuiteResult, totalsOf } from "./run.ts";

const style: Record<SuiteResult["outcomes"][number]["result"], Style> = {
  passed: "green",
  failed: "red",
  error: "red",
  late: "red",
  skipped: "dim",
};

/** What has to be told of a case unless everything is. */
const isTold = ({ result }: SuiteResult["outcomes"][number]): boolean =>
  result !== "passed" && result !== "skipped";

/**
 * What failed, or all cases if `isVerbose`; the counts go to stderr.
 *
 * @param coverage left out where nobody asked for it
 */
export function printTable(
  results: readonly SuiteResult[],
  isVerbose: boolean,
  coverage: RegoCoverage | undefined,
  terminal: Terminal,
): void {
  const rows = results.flatMap(({ policy, file, line, outcomes }) =>
    outcomes
      .filter((outcome) => isVerbose || isTold(outcome))
      .map(({ name, result, message, line: ownLine = line }) => [
        `${file}:${ownLine}`,
        policy,
        name,
        painted(terminal, style[result], result),
        message,
      ]),
  );
  if (rows.length > 0) terminal.out(table(["where", "policy", "case", "result", "why"], rows));
  if (coverage !== undefined) printCoverage(coverage, terminal);
  terminal.err(summary(results));
  if (coverage !== undefined) terminal.err(`${percent(coverage)} of ${coverage.all} lines in Rego covered\n`);
}

function summary(results: readonly SuiteResult[]): string {
  const { policies, passed, failed, skipped, untested } = totalsOf(results);
  const leftOut = skipped === 0 ? "" : `, ${skipped} skipped`;
  const without = untested.length === 0 ? "" : `, ${untested.length} without tests: ${untested.join(", ")}`;
  const count = policies === 1 ? "1 policy" : `${policies} policies`;
  return `${count}, ${passed} cases passed, ${failed} failed${leftOut}${without}\n`;
}

function printCoverage({ files }: RegoCoverage, terminal: Terminal): void {
  const rows = files.map((file) => [
    file.file,
    percent(file),
    file.missed.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(", "),
  ]);
  if (rows.length > 0) terminal.out(table(["file", "covered", "lines missed"], rows));
}

function percent(of: Pick<RegoCoverage, "covered" | "all">): string {
  return `${percentCovered(of).toFixed(1)} %`;
}

/** @param coverage left out where nobody asked for it */
export function printJson(
  results: readonly SuiteResult[],
  coverage: RegoCoverage | undefined,
  terminal: Terminal,
): void {
  const { policies, passed, failed, skipped, untested } = totalsOf(results);
  const cases = results.flatMap(({ policy, file, line, outcomes }) =>
    outcomes.map(({ name, result, isMatched, message, tookMs, line: ownLine = line }) => ({
      policy,
      case: name,
      result,
      matched: isMatched,
      message,
      file,
      line: ownLine,
      milliseconds: Number(tookMs.toFixed(3)),
    })),
  );
  const measured = coverage === undefined ? {} : { coverage };
  const report = { policies, passed, failed, skipped, untested, cases, ...measured };
  terminal.out(`${JSON.stringify(report, null, 2)}\n`);
}

export function printSarif(results: readonly SuiteResult[], terminal: Terminal): void {
  const findings = results.flatMap(({ policy, file, line, outcomes }) =>
    outcomes.filter(isTold).map(({ name, message, line: ownLine = line }) => ({
      ruleId: policy,
      level: "error" as const,
      message: `case "${name}": ${message}`,
      file,
      line: ownLine,
    })),
  );
  terminal.out(sarif(shieldctlVersion, findings));
}

const junitKinds = { failed: "failure", error: "error", late: "error", skipped: "skipped" } as const;

export function printJunit(results: readonly SuiteResult[], terminal: Terminal): void {
  const suites = results.map(
    ({ policy, file, outcomes }): JunitSuite => ({
      name: policy,
      file,
      cases: outcomes.map(({ name, result, message, tookMs }) => ({
        name,
        seconds: tookMs / 1_000,
        ...(result === "passed" ? {} : { problem: { kind: junitKinds[result], message } }),
      })),
    }),
  );
  terminal.out(junit(suites));
}
