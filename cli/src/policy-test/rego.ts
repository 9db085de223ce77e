/** Runs tests written in Rego. */
import {
  compileRegoTests,
  compilerOfRegoTests,
  type PlainObject,
  type RegoCoverage,
  type RegoTestOutcome,
  runRegoTests,
} from "@shieldx/policy-engine";
import { compilerFileOf } from "../policy/compiled-rego.ts";
import type { CaseOutcome, SuiteResult } from "./run.ts";
import type { RegoFiles } from "./sources.ts";

export interface RegoSuites {
  readonly results: readonly SuiteResult[];
  readonly coverage: readonly RegoCoverage[];
}

/**
 * @param regoCompiler the compiler's module, as `compilerFileOf` takes it
 * @throws CompilerUnavailableError
 */
export async function runRegoSuites(
  all: readonly RegoFiles[],
  regoCompiler: string | undefined,
): Promise<RegoSuites> {
  if (all.length === 0) return { results: [], coverage: [] };
  const compiler = compilerOfRegoTests(compilerFileOf(regoCompiler));
  const results: SuiteResult[] = [];
  const coverage: RegoCoverage[] = [];
  for (const { modules, data } of all) {
    const compiled = await compileRegoTests(compiler, modules);
    if (!compiled.ok) {
      results.push(
        ...compiled.problems.map((problem) => notCompiled(problem, Object.keys(modules)[0] ?? "")),
      );
      continue;
    }
    const nowNs = BigInt(Date.now()) * 1_000_000n;
    const run = runRegoTests(compiled, { data: data as PlainObject, nowNs });
    results.push(...byPackage(run.outcomes));
    coverage.push(run.coverage);
  }
  return { results, coverage };
}

interface Problem {
  readonly code: string;
  readonly message: string;
  readonly file?: string | undefined;
  readonly row?: number | undefined;
}

function notCompiled({ code, message, file, row = 1 }: Problem, otherwise: string): SuiteResult {
  const why = `the modules do not compile: ${message} (${code})`;
  const outcome = { name: "compiles", result: "error", isMatched: false, message: why, tookMs: 0 } as const;
  return { policy: "rego", file: file ?? otherwise, line: row, outcomes: [outcome] };
}

/** Tests of one package and file together. */
function byPackage(outcomes: readonly RegoTestOutcome[]): SuiteResult[] {
  const suites = new Map<string, SuiteResult & { outcomes: CaseOutcome[] }>();
  for (const { package: policy, file, row, ...outcome } of outcomes) {
    const key = JSON.stringify([policy, file]);
    const suite = suites.get(key) ?? { policy, file, line: row, outcomes: [] };
    suites.set(key, suite);
    suite.outcomes.push({ ...outcome, line: row, isMatched: outcome.result !== "skipped" });
  }
  return [...suites.values()];
}
