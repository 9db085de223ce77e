import type { PolicyTest, ShieldPolicy } from "@shieldx/crds";
import { type CompileEnvironment, compilePolicy } from "../policy-set/compile.ts";
import { PolicyCompileError } from "../policy-set/errors.ts";
import { type RunOptions, runPolicyTests, type TestOutcome } from "../policy-tests/run.ts";
import { type Mutant, mutantsOf } from "./mutants.ts";

/** So many mutants of one policy are tried; of more, every so many. */
export const MOST_MUTANTS = 500;

export interface MutantOutcome {
  readonly mutant: Omit<Mutant, "policy">;
  /** The case that told it from the policy; undefined: it survived. */
  readonly killedBy: string | undefined;
}

export interface MutationScore {
  /** Cases that fail with the policy as it is: then nothing is tried. */
  readonly failing: readonly TestOutcome[];
  readonly outcomes: readonly MutantOutcome[];
  readonly killed: number;
  /** Of a hundred, rounded down; undefined where there are no mutants to tell. */
  readonly score: number | undefined;
  /** Mutants that were left out, because there are more than `MOST_MUTANTS`. */
  readonly leftOut: number;
}

/**
 * Makes mistakes in a policy, one at a time, and says which of them its cases do not notice.
 *
 * @throws PolicyCompileError when the policy itself does not compile
 */
export function mutationScore(
  policy: ShieldPolicy,
  tests: readonly PolicyTest[],
  environment: Omit<CompileEnvironment, "evaluatesNative">,
  options: RunOptions = {},
): MutationScore {
  const failing = outcomesOf(policy, tests, environment, options).filter(({ result }) => result !== "passed");
  if (failing.length > 0) return { failing, outcomes: [], killed: 0, score: undefined, leftOut: 0 };
  const all = mutantsOf(policy);
  const every = Math.ceil(all.length / MOST_MUTANTS);
  const outcomes: MutantOutcome[] = [];
  let tried = 0;
  let quickest = [...tests];
  for (const { policy: mutated, ...mutant } of all.filter((_, index) => index % every === 0)) {
    tried++;
    const killer = killerOf(mutated, quickest, environment, options);
    if (killer === "invalid") continue;
    outcomes.push({ mutant, killedBy: killer?.name });
    // What told one mutant is likely to tell the next.
    if (killer !== undefined) quickest = [killer, ...quickest.filter((test) => test !== killer)];
  }
  const killed = outcomes.filter(({ killedBy }) => killedBy !== undefined).length;
  const score = outcomes.length === 0 ? undefined : Math.floor((killed / outcomes.length) * 100);
  return { failing, outcomes, killed, score, leftOut: all.length - tried };
}

function outcomesOf(
  policy: ShieldPolicy,
  tests: readonly PolicyTest[],
  environment: Omit<CompileEnvironment, "evaluatesNative">,
  options: RunOptions,
): TestOutcome[] {
  return runPolicyTests(compilePolicy(policy, { ...environment, evaluatesNative: true }), tests, options);
}

/** The first case that fails; "invalid" for what does not compile. That time ran out is of the machine, and tells nothing. */
function killerOf(
  policy: ShieldPolicy,
  tests: readonly PolicyTest[],
  environment: Omit<CompileEnvironment, "evaluatesNative">,
  options: RunOptions,
): PolicyTest | "invalid" | undefined {
  try {
    const compiled = compilePolicy(policy, { ...environment, evaluatesNative: true });
    return tests.find((test) =>
      runPolicyTests(compiled, [test], options).some(
        ({ result }) => result !== "passed" && result !== "late",
      ),
    );
  } catch (error) {
    if (error instanceof PolicyCompileError) return "invalid";
    throw error;
  }
}
