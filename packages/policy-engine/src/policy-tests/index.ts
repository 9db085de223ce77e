export { passingTestsRequired, requirePassingTests } from "./require.ts";
export { type RunOptions, runPolicyTests, TESTS_BUDGET_MS, type TestOutcome } from "./run.ts";
