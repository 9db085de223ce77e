import {
  compilePolicy,
  PolicyCompileError,
  type RegoLookup,
  runPolicyTests,
  TESTS_BUDGET_MS,
  type TestOutcome,
  threadCpuNow,
} from "@shieldx/policy-engine";
import type { Suite } from "./collect.ts";

/** What came of one case, in whatever format it is written. */
export interface CaseOutcome extends Omit<TestOutcome, "result"> {
  /** `skipped`: the test says itself that it is to be left out. */
  readonly result: TestOutcome["result"] | "skipped";
  /** Where it stands, if not where the suite does. */
  readonly line?: number;
}

/** What came of the cases of one file about one policy. */
export interface SuiteResult {
  readonly policy: string;
  readonly file: string;
  readonly line: number;
  readonly outcomes: readonly CaseOutcome[];
}

export interface Totals {
  readonly policies: number;
  readonly passed: number;
  /** Whatever did not come out as expected. */
  readonly failed: number;
  readonly skipped: number;
  /** Names of policies that no case is about. */
  readonly untested: readonly string[];
}

/** Cases may take as long as a cluster lets them, so that what passes here is not refused there. */
const limits = { budgetMs: TESTS_BUDGET_MS, cpuNow: threadCpuNow };

/** Never throws for a policy: one that does not compile fails as a case of its own. */
export function runSuites(
  suites: readonly Suite[],
  serverMinor: number,
  rego?: RegoLookup | undefined,
): SuiteResult[] {
  return suites.map(({ policy, file, line, tests }) => {
    const result = { policy: policy.metadata.name, file, line };
    try {
      const compiled = compilePolicy(policy, { serverMinor, evaluatesNative: true, rego });
      return { ...result, outcomes: runPolicyTests(compiled, tests, limits) };
    } catch (error) {
      if (!(error instanceof PolicyCompileError)) throw error;
      const message = `the policy does not compile: ${error.message}`;
      return {
        ...result,
        outcomes: [{ name: "compiles", result: "error", isMatched: false, message, tookMs: 0 }],
      };
    }
  });
}

export function totalsOf(results: readonly SuiteResult[]): Totals {
  const outcomes = results.flatMap((result) => result.outcomes);
  const count = (wanted: CaseOutcome["result"]) => outcomes.filter(({ result }) => result === wanted).length;
  const passed = count("passed");
  const skipped = count("skipped");
  const names = [...new Set(results.map(({ policy }) => policy))];
  const tested = new Set(results.filter((result) => result.outcomes.length > 0).map(({ policy }) => policy));
  return {
    policies: names.length,
    passed,
    failed: outcomes.length - passed - skipped,
    skipped,
    untested: names.filter((name) => !tested.has(name)),
  };
}
