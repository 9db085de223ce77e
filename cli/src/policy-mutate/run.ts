import type { PolicyTest, ShieldPolicy } from "@shieldx/crds";
import { type MutationScore, mutationScore, PolicyCompileError } from "@shieldx/policy-engine";
import { UsageError } from "../errors.ts";
import type { Suite } from "../policy-test/collect.ts";

/** One policy with all of its cases, whichever files they are in. */
export interface PolicyScore extends MutationScore {
  readonly policy: string;
  /** Where the policy, or the first file with cases for it, begins. */
  readonly file: string;
  readonly line: number;
  readonly cases: number;
}

/** Throws UsageError for a policy that does not compile. */
export function scoresOf(suites: readonly Suite[], serverMinor: number): PolicyScore[] {
  const all = new Map<string, { policy: ShieldPolicy; file: string; line: number; tests: PolicyTest[] }>();
  for (const { policy, file, line, tests } of suites) {
    const { name } = policy.metadata;
    const known = all.get(name) ?? { policy, file, line, tests: [] };
    known.tests.push(...tests);
    all.set(name, known);
  }
  return [...all.values()].map(({ policy, file, line, tests }) => {
    const base = { policy: policy.metadata.name, file, line, cases: tests.length };
    try {
      return { ...base, ...mutationScore(policy, tests, { serverMinor }) };
    } catch (cause) {
      if (!(cause instanceof PolicyCompileError)) throw cause;
      const message = `${file}:${line}: ShieldPolicy "${base.policy}" does not compile: ${cause.message}`;
      throw new UsageError("InvalidPolicy", message, { cause });
    }
  });
}

/** Names of policies whose cases do not reach so much of a hundred, or fail as it is. */
export function below(scores: readonly PolicyScore[], minScore: number): string[] {
  return scores
    .filter(({ failing, score }) => failing.length > 0 || (score ?? 100) < minScore)
    .map(({ policy }) => policy);
}
