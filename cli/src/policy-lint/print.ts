import { policyTitle } from "@shieldx/crds";
import { LINT_RULES, type LintFinding, type LintSeverity } from "@shieldx/policy-engine";
import { type JunitSuite, junit } from "../output/junit.ts";
import { sarif } from "../output/sarif.ts";
import { painted, table } from "../output/table.ts";
import type { Style, Terminal } from "../output/terminal.ts";
import { shieldctlVersion } from "../version.ts";
import type { LintedPolicy } from "./command.ts";

const styles: Record<LintSeverity, Style> = { error: "red", warning: "yellow", note: "dim" };

export function printLint(
  linted: readonly LintedPolicy[],
  format: "table" | "json" | "junit" | "sarif",
  terminal: Terminal,
): void {
  switch (format) {
    case "table":
      printTable(linted, terminal);
      break;
    case "json":
      printJson(linted, terminal);
      break;
    case "junit":
      terminal.out(junit(linted.map(suiteOf)));
      break;
    case "sarif":
      printSarif(linted, terminal);
      break;
    default:
      format satisfies never;
  }
}

function inWords({ path, message }: LintFinding): string {
  return `${path}: ${message}`;
}

function printTable(linted: readonly LintedPolicy[], terminal: Terminal): void {
  const rows = linted.flatMap(({ policy, file, line, findings }) =>
    findings.map((each) => [
      `${file}:${line}`,
      policy,
      painted(terminal, styles[each.severity], each.severity),
      each.code,
      inWords(each),
    ]),
  );
  if (rows.length > 0) terminal.out(table(["where", "policy", "severity", "rule", "what"], rows));
  const count = (severity: LintSeverity) =>
    linted.flatMap(({ findings }) => findings).filter((each) => each.severity === severity).length;
  const policies = linted.length === 1 ? "1 policy" : `${linted.length} policies`;
  terminal.err(
    `${policies}, ${count("error")} errors, ${count("warning")} warnings, ${count("note")} notes\n`,
  );
}

function printJson(linted: readonly LintedPolicy[], terminal: Terminal): void {
  const findings = linted.flatMap(({ policy, file, line, findings: found }) =>
    found.map(({ code, severity, path, message }) => ({ policy, code, severity, path, message, file, line })),
  );
  terminal.out(`${JSON.stringify({ policies: linted.length, findings }, null, 2)}\n`);
}

/** A policy is a case, which fails by what was found. */
function suiteOf({ policy, file, findings }: LintedPolicy): JunitSuite {
  const cases = findings.map((each) => ({
    name: `${each.code} at ${each.path}`,
    seconds: 0,
    problem: { kind: "failure" as const, message: inWords(each) },
  }));
  return { name: policy, file, cases: cases.length > 0 ? cases : [{ name: "lint", seconds: 0 }] };
}

const levels = { error: "error", warning: "warning", note: "note" } as const;

function printSarif(linted: readonly LintedPolicy[], terminal: Terminal): void {
  const findings = linted.flatMap(({ policy, file, line, findings: found }) =>
    found.map((each) => ({
      ruleId: each.code,
      level: levels[each.severity],
      message: `${policyTitle(policy)}: ${inWords(each)}`,
      file,
      line,
    })),
  );
  const rules = new Map(
    Object.entries(LINT_RULES).map(([code, rule]) => [code, { text: rule.about, help: rule.remedy }]),
  );
  terminal.out(sarif(shieldctlVersion, findings, rules));
}
