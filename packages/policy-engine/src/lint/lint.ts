/** What is likely wrong with a policy although it compiles. Pure: nothing is asked, nothing is changed. */
import type { ShieldPolicy } from "@shieldx/crds";
import { type CompileEnvironment, compilePolicy } from "../policy-set/compile.ts";
import { isTransient, PolicyCompileError } from "../policy-set/errors.ts";
import { runPolicyTests } from "../policy-tests/run.ts";
import { celFindings } from "./cel-findings.ts";
import { costFindings } from "./cost.ts";
import { matchFindings } from "./match-findings.ts";
import { regoFindings } from "./rego-findings.ts";
import { finding, type LintFinding } from "./rules.ts";

/** Findings in the order of the policy's fields. Never throws for what the policy is. */
export function lintPolicy(
  policy: ShieldPolicy,
  environment: Omit<CompileEnvironment, "evaluatesNative">,
): LintFinding[] {
  const broken = compileFindings(policy, environment);
  const { engine } = policy.spec;
  return [
    ...broken,
    ...matchFindings(policy.spec, environment.serverMinor),
    ...testFindings(policy),
    ...(engine === "cel" ? celFindings(policy.spec) : []),
    ...(engine === "cel" && broken.length === 0 ? costFindings(policy.spec) : []),
    ...(engine === "rego" ? regoFindings(policy.spec) : []),
  ];
}

function compileFindings(
  policy: ShieldPolicy,
  environment: Omit<CompileEnvironment, "evaluatesNative">,
): LintFinding[] {
  try {
    const compiled = compilePolicy(policy, { ...environment, evaluatesNative: true });
    const outcomes = runPolicyTests(compiled, policy.spec.tests ?? []);
    return outcomes.flatMap(({ name, result, message }, index) =>
      result === "passed" || result === "late"
        ? []
        : [finding("tests-fail", `spec.tests[${index}]`, `case "${name}": ${message}`)],
    );
  } catch (error) {
    if (!(error instanceof PolicyCompileError)) throw error;
    // Without a compiler of Rego at hand there is nothing to say about it.
    return isTransient(error.code) ? [] : [finding("does-not-compile", error.path, error.message)];
  }
}

function testFindings({
  spec: { engine, tests = [], validations, mutations, rego },
}: ShieldPolicy): LintFinding[] {
  const isJudging = (validations ?? []).length > 0 || rego !== undefined;
  if (engine === "podSecurity" || (!isJudging && mutations === undefined)) return [];
  if (tests.length === 0) return [finding("no-tests", "spec.tests", "there are none")];
  if (!isJudging) return [];
  const has = (decision: string) => tests.some(({ expect }) => expect.decision === decision);
  return [
    ...(has("deny") ? [] : [finding("no-refused-case", "spec.tests", "no case is refused")]),
    ...(has("allow") ? [] : [finding("no-passing-case", "spec.tests", "no case passes")]),
  ];
}
