import { namespaceOfPolicy, type ShieldPolicy } from "@shieldx/crds";
import { type CompiledPolicy, type CompileEnvironment, compilePolicy } from "../policy-set/compile.ts";
import { PolicyCompileError } from "../policy-set/errors.ts";
import { neverHere } from "../policy-set/judgement.ts";
import { atOnce, type Turns } from "../policy-set/timing.ts";
import { policyTestRun, type RunOptions, TENANT_TESTS_BUDGET_MS, TESTS_BUDGET_MS } from "./run.ts";

/**
 * Does nothing for a policy that passes its own tests, or has none.
 *
 * @throws PolicyCompileError of code `TestsFailed` naming the first case that fails, what it expects and what came; of code
 * `TestsTooSlow` when time ran out before any failed
 */
export function requirePassingTests(
  compiled: CompiledPolicy,
  environment: CompileEnvironment,
  options: RunOptions = {},
): void {
  atOnce(passingTestsRequired(compiled, environment, options));
}

/** `requirePassingTests`, in turns with others. */
export function* passingTestsRequired(
  compiled: CompiledPolicy,
  environment: CompileEnvironment,
  options: RunOptions = {},
): Turns<void> {
  const tests = compiled.source.spec.tests ?? [];
  if (tests.length === 0) return;
  const isJudged = compiled.judge !== neverHere && compiled.notJudged === undefined;
  const judged = isJudged ? compiled : compileForTests(compiled.source, environment);
  const most = namespaceOfPolicy(compiled.name) === undefined ? TESTS_BUDGET_MS : TENANT_TESTS_BUDGET_MS;
  const budgetMs = Math.min(options.budgetMs ?? most, most);
  const outcomes = yield* policyTestRun(judged, tests, { ...options, budgetMs });
  const failures = outcomes.flatMap((outcome, index) =>
    outcome.result === "passed" ? [] : [{ ...outcome, index }],
  );
  const [first, ...others] = [
    ...failures.filter(({ result }) => result !== "late"),
    ...failures.filter(({ result }) => result === "late"),
  ];
  if (first === undefined) return;
  const more = others.length === 0 ? "" : ` (${failures.length} of ${tests.length} cases fail)`;
  const message = `case "${first.name}": ${first.message}${more}`;
  const code = first.result === "late" ? "TestsTooSlow" : "TestsFailed";
  throw new PolicyCompileError(code, `spec.tests[${first.index}]`, message);
}

/**
 * A policy with a judge, also where the API server evaluates it in the cluster.
 *
 * @throws PolicyCompileError of code `TestsFailed` where only the API server may understand it
 */
function compileForTests(policy: ShieldPolicy, environment: CompileEnvironment): CompiledPolicy {
  try {
    return compilePolicy(policy, { ...environment, evaluatesNative: true });
  } catch (cause) {
    if (!(cause instanceof PolicyCompileError)) throw cause;
    const message = `cannot be run, because ShieldX does not understand ${cause.message}`;
    throw new PolicyCompileError("TestsFailed", "spec.tests", message, { cause });
  }
}
