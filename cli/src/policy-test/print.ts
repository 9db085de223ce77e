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
};

/** What failed, or all cases if `isVerbose`; the counts go to stderr. */
export function printTable(results: readonly SuiteResult[], isVerbose: boolean, terminal: Terminal): void {
  const rows = results.flatMap(({ policy, file, line, outcomes }) =>
    outcomes
      .filter(({ result }) => isVerbose || result !== "passed")
      .map(({ name, result, message }) => [
        `${file}:${line}`,
        policy,
        name,
        painted(terminal, style[result], result),
        message,
      ]),
  );
  if (rows.length > 0) terminal.out(table(["where", "policy", "case", "result", "why"], rows));
  terminal.err(summary(results));
}

function summary(results: readonly SuiteResult[]): string {
  const { policies, passed, failed, untested } = totalsOf(results);
  const without = untested.length === 0 ? "" : `, ${untested.length} without tests: ${untested.join(", ")}`;
  const count = policies === 1 ? "1 policy" : `${policies} policies`;
  return `${count}, ${passed} cases passed, ${failed} failed${without}\n`;
}

export function printJson(results: readonly SuiteResult[], terminal: Terminal): void {
  const { policies, passed, failed, untested } = totalsOf(results);
  const cases = results.flatMap(({ policy, file, line, outcomes }) =>
    outcomes.map(({ name, result, isMatched, message, tookMs }) => ({
      policy,
      case: name,
      result,
      matched: isMatched,
      message,
      file,
      line,
      milliseconds: Number(tookMs.toFixed(3)),
    })),
  );
  terminal.out(`${JSON.stringify({ policies, passed, failed, untested, cases }, null, 2)}\n`);
}

export function printSarif(results: readonly SuiteResult[], terminal: Terminal): void {
  const findings = results.flatMap(({ policy, file, line, outcomes }) =>
    outcomes
      .filter(({ result }) => result !== "passed")
      .map(({ name, message }) => ({
        ruleId: policy,
        level: "error" as const,
        message: `case "${name}": ${message}`,
        file,
        line,
      })),
  );
  terminal.out(sarif(shieldctlVersion, findings));
}

export function printJunit(results: readonly SuiteResult[], terminal: Terminal): void {
  const suites = results.map(
    ({ policy, file, outcomes }): JunitSuite => ({
      name: policy,
      file,
      cases: outcomes.map(({ name, result, message, tookMs }) => ({
        name,
        seconds: tookMs / 1_000,
        ...(result === "passed"
          ? {}
          : { problem: { kind: result === "failed" ? "failure" : "error", message } }),
      })),
    }),
  );
  terminal.out(junit(suites));
}
