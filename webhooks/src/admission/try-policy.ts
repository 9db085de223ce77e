import { setImmediate as nextTurn } from "node:timers/promises";
import { isOnlyServed, type ShieldPolicy } from "@shieldx/crds";
import {
  type CompileEnvironment,
  compilePolicy,
  inTurns,
  passingTestsRequired,
  type RegoPolicies,
  TESTS_BUDGET_MS,
  threadCpuNow,
} from "@shieldx/policy-engine";

/** Left for what comes after a module has been compiled. */
const shareForCompiling = 0.8;

/**
 * Compiles a policy as a set would, and holds it against its own tests.
 *
 * @throws PolicyCompileError for one that would not go into force, or not yet
 */
export async function tryPolicy(
  policy: ShieldPolicy,
  rego: Pick<RegoPolicies, "prepare" | "state">,
  environment: Omit<CompileEnvironment, "rego">,
  deadlineMs: number,
): Promise<void> {
  if (policy.spec.engine === "rego" && !isOnlyServed(policy.spec))
    await rego.prepare(policy.spec, deadlineMs * shareForCompiling);
  const whole = { ...environment, rego: rego.state };
  const compiled = compilePolicy(policy, whole);
  const budgetMs = Math.min(TESTS_BUDGET_MS, deadlineMs / 2);
  await inTurns(passingTestsRequired(compiled, whole, { budgetMs, cpuNow: threadCpuNow }), nextTurn);
}
