import { percentCovered, type RegoCoverage } from "@shieldx/policy-engine";
import { UsageError } from "../errors.ts";
import { progress, type Terminal } from "../output/terminal.ts";
import { minorOf } from "../policy/command.ts";
import { compiledRego } from "../policy/compiled-rego.ts";
import { chosen, suitesIn } from "./collect.ts";
import { runForeignSuites } from "./foreign.ts";
import { printJson, printJunit, printSarif, printTable } from "./print.ts";
import { runRegoSuites } from "./rego.ts";
import { runSuites, type SuiteResult, totalsOf } from "./run.ts";
import { testSources } from "./sources.ts";

export interface PolicyTestOptions {
  readonly policy: readonly string[];
  readonly kubernetesVersion: string;
  /** The Rego compiler's module; left out: SHIELDX_REGO_COMPILER, or beside the program. */
  readonly regoCompiler?: string;
  readonly requireTests?: boolean;
  readonly coverage?: boolean;
  /** In percent, as written. */
  readonly minCoverage?: string;
  readonly verbose?: boolean;
  readonly output: "table" | "json" | "junit" | "sarif";
}

/**
 * `shieldctl policy test`. 0 when every case comes out as expected, 1 when one does not, or there is a policy without any and
 * `--require-tests`, or tests in Rego cover less than `--min-coverage`; UsageError for input that cannot be read.
 */
export async function runPolicyTest(
  files: readonly string[],
  options: PolicyTestOptions,
  terminal: Terminal,
): Promise<number> {
  const serverMinor = minorOf(options.kubernetesVersion);
  const minCoverage = percentOf(options.minCoverage);
  const clear = progress(terminal, "running tests …");
  const { all, coverage } = await runAll(files, serverMinor, options.regoCompiler).finally(clear);
  const results = chosen(all, options.policy, ({ policy }) => policy);
  const isMeasured = options.coverage === true || minCoverage !== undefined;
  print(results, isMeasured ? coverage : undefined, options, terminal);
  const { failed, untested } = totalsOf(results);
  const isTooLittle = minCoverage !== undefined && percentCovered(coverage) < minCoverage;
  return failed > 0 || isTooLittle || (options.requireTests === true && untested.length > 0) ? 1 : 0;
}

interface AllResults {
  readonly all: readonly SuiteResult[];
  readonly coverage: RegoCoverage;
}

async function runAll(
  files: readonly string[],
  serverMinor: number,
  regoCompiler: string | undefined,
): Promise<AllResults> {
  const sources = await testSources(files);
  const suites = await suitesIn(sources.manifests);
  const rego = await compiledRego(
    suites.map(({ policy }) => policy),
    regoCompiler,
  );
  const inRego = await runRegoSuites(sources.rego, regoCompiler);
  const all = [
    ...runSuites(suites, serverMinor, rego),
    ...(await runForeignSuites(sources, serverMinor, regoCompiler)),
    ...inRego.results,
  ];
  if (all.length === 0)
    throw new UsageError(
      "NoPolicies",
      `no ShieldPolicy and no PolicyTest in ${files.join(", ")}, nor tests of Gatekeeper, Kyverno or in Rego`,
    );
  return { all, coverage: together(inRego.coverage) };
}

function together(coverage: readonly RegoCoverage[]): RegoCoverage {
  const sum = (of: (each: RegoCoverage) => number) => coverage.reduce((total, each) => total + of(each), 0);
  return {
    files: coverage.flatMap(({ files }) => files),
    covered: sum(({ covered }) => covered),
    all: sum(({ all }) => all),
  };
}

function percentOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const percent = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (percent <= 100) return percent;
  throw new UsageError("InvalidCoverage", `--min-coverage ${text}: write a whole number from 0 to 100`);
}

function print(
  results: readonly SuiteResult[],
  coverage: RegoCoverage | undefined,
  { output, verbose }: PolicyTestOptions,
  terminal: Terminal,
): void {
  switch (output) {
    case "table":
      printTable(results, verbose === true, coverage, terminal);
      break;
    case "json":
      printJson(results, coverage, terminal);
      break;
    case "junit":
      printJunit(results, terminal);
      break;
    case "sarif":
      printSarif(results, terminal);
      break;
    default:
      output satisfies never;
  }
}
