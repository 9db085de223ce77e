import type { MutantOutcome } from "@shieldx/policy-engine";
import { type JunitSuite, junit } from "../output/junit.ts";
import { type SarifFinding, sarif } from "../output/sarif.ts";
import { painted, table } from "../output/table.ts";
import { paint, type Terminal } from "../output/terminal.ts";
import { shieldctlVersion } from "../version.ts";
import type { PolicyScore } from "./run.ts";

type Shown = MutantOutcome["mutant"];

const isSurvivor = ({ killedBy }: MutantOutcome): boolean => killedBy === undefined;

function placeOf({ path, line, column }: Shown): string {
  return `${path}:${line}:${column}`;
}

/** Survivors as differences, then a table of scores; the total goes to stderr. */
export function printTable(scores: readonly PolicyScore[], minScore: number, terminal: Terminal): void {
  for (const { policy, file, line, failing, outcomes } of scores) {
    for (const { name, message } of failing)
      terminal.out(`${file}:${line} ${policy}: case "${name}" fails without any mistake: ${message}\n`);
    for (const { mutant } of outcomes.filter(isSurvivor))
      terminal.out(
        `${file}:${line} ${policy}: ${mutant.operator} at ${placeOf(mutant)} survived\n${difference(mutant, terminal)}`,
      );
  }
  const rows = scores.map((each) => {
    const { policy, cases, killed, outcomes, score, failing } = each;
    const isEnough = failing.length === 0 && (score ?? 100) >= minScore;
    const shown = failing.length > 0 ? "failing" : score === undefined ? "-" : `${score} %`;
    return [
      policy,
      String(cases),
      String(outcomes.length),
      String(outcomes.length - killed),
      painted(terminal, isEnough ? "green" : "red", shown),
    ];
  });
  terminal.out(table(["policy", "cases", "mutants", "survived", "score"], rows));
  terminal.err(summary(scores));
}

function summary(scores: readonly PolicyScore[]): string {
  const sum = (of: (score: PolicyScore) => number) => scores.reduce((total, each) => total + of(each), 0);
  const [all, killed, leftOut] = [sum((s) => s.outcomes.length), sum((s) => s.killed), sum((s) => s.leftOut)];
  const score = all === 0 ? "no mutants" : `${Math.floor((killed / all) * 100)} %`;
  const more = leftOut === 0 ? "" : `, ${leftOut} left out`;
  const policies = scores.length === 1 ? "1 policy" : `${scores.length} policies`;
  return `${policies}, ${all} mutants, ${killed} killed, ${all - killed} survived${more}: ${score}\n`;
}

/** The lines that differ. */
function difference({ before, after }: Shown, terminal: Terminal): string {
  const [olds, news] = [linesOf(before), after === undefined ? [] : linesOf(after)];
  const isOnly = (line: string, others: readonly string[]): boolean => !others.includes(line);
  const removed = olds
    .filter((line) => isOnly(line, news))
    .map((line) => paint(terminal, "red", `  - ${line}`));
  const added = news
    .filter((line) => isOnly(line, olds))
    .map((line) => paint(terminal, "green", `  + ${line}`));
  return [...removed, ...added].map((line) => `${line}\n`).join("");
}

function linesOf(expression: string): string[] {
  return expression.trim().split("\n");
}

export function printJson(scores: readonly PolicyScore[], terminal: Terminal): void {
  const policies = scores.map(({ policy, file, line, cases, failing, outcomes, killed, score, leftOut }) => ({
    policy,
    file,
    line,
    cases,
    failing: failing.map(({ name, message }) => ({ case: name, message })),
    mutants: outcomes.length,
    killed,
    leftOut,
    score: score ?? null,
    survivors: outcomes.filter(isSurvivor).map(({ mutant }) => ({ ...mutant, after: mutant.after ?? null })),
  }));
  terminal.out(`${JSON.stringify({ policies }, null, 2)}\n`);
}

function survivorMessage(mutant: Shown): string {
  const after = mutant.after === undefined ? "left out" : `changed to ${mutant.after.trim()}`;
  return `${mutant.operator} at ${placeOf(mutant)}: no case notices when ${mutant.before.trim()} is ${after}`;
}

export function printSarif(scores: readonly PolicyScore[], terminal: Terminal): void {
  const findings = scores.flatMap(({ policy, file, line, failing, outcomes }): SarifFinding[] => [
    ...failing.map(({ name, message }) => ({
      ruleId: policy,
      level: "error" as const,
      message: `case "${name}" fails without any mistake: ${message}`,
      file,
      line,
    })),
    ...outcomes.filter(isSurvivor).map(({ mutant }) => ({
      ruleId: policy,
      level: "warning" as const,
      message: survivorMessage(mutant),
      file,
      line,
    })),
  ]);
  terminal.out(sarif(shieldctlVersion, findings));
}

/** A mutant is a case that has to be noticed. */
export function printJunit(scores: readonly PolicyScore[], terminal: Terminal): void {
  const suites = scores.map(
    ({ policy, file, failing, outcomes }): JunitSuite => ({
      name: policy,
      file,
      cases: [
        ...failing.map(({ name, message }) => ({
          name,
          seconds: 0,
          problem: { kind: "error" as const, message },
        })),
        ...outcomes.map((outcome) => ({
          name: `${outcome.mutant.operator} at ${placeOf(outcome.mutant)}`,
          seconds: 0,
          ...(isSurvivor(outcome)
            ? { problem: { kind: "failure" as const, message: survivorMessage(outcome.mutant) } }
            : {}),
        })),
      ],
    }),
  );
  terminal.out(junit(suites));
}
