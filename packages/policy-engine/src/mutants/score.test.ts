import type { PolicyTest, ShieldPolicy } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { celPolicy } from "../../testing/objects.ts";
import { compilePolicy } from "../policy-set/compile.ts";
import { type RunOptions, runPolicyTests } from "../policy-tests/run.ts";
import { mutationScore } from "./score.ts";

const configMap = (more: object) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "c", namespace: "team-a" },
  ...more,
});
const test = (name: string, object: Record<string, unknown>, decision: "allow" | "deny"): PolicyTest => ({
  name,
  object,
  operation: "CREATE",
  expect: { decision },
});
const few = celPolicy("few", { validations: [{ expression: "object.data.size() < 3" }] });
const tests = [
  test("few", configMap({ data: { a: "1", b: "2" } }), "allow"),
  test("many", configMap({ data: { a: "1", b: "2", c: "3" } }), "deny"),
];
const environment = { serverMinor: 37 };
const run = (policy: ShieldPolicy, options?: RunOptions) =>
  runPolicyTests(compilePolicy(policy, { ...environment, evaluatesNative: true }), tests, options);

describe("the score of a policy's tests", () => {
  it("counts the mistakes they notice", () => {
    const { failing, outcomes, killed, score } = mutationScore(few, tests, environment);
    expect(failing).toEqual([]);
    expect(killed).toBe(outcomes.length);
    expect(score).toBe(100);
  });

  it("counts no mistake as noticed because time ran out", () => {
    let calls = 0;
    const counting = { monotonicNow: () => 0 * ++calls, cpuNow: () => 0 };
    expect(run(few, counting).map(({ result }) => result)).toEqual(["passed", "passed"]);
    // The clock stands while the policy as it is runs, and then runs away.
    let asked = 0;
    const monotonicNow = () => Math.max(0, ++asked - calls) * 10_000;
    const { failing, outcomes, killed, score } = mutationScore(few, tests, environment, {
      monotonicNow,
      cpuNow: () => 0,
    });
    expect(failing).toEqual([]);
    expect(outcomes.length).toBeGreaterThan(0);
    expect({ killed, score }).toEqual({ killed: 0, score: 0 });
  });

  it.each(["Fail", "Ignore"] as const)(
    "agrees with the tests themselves, by failurePolicy %s",
    (failurePolicy) => {
      const matchConditions = [{ name: "labelled", expression: "object.metadata.labels.app == 'x'" }];
      const policy = celPolicy("c", { ...few.spec, failurePolicy, matchConditions });
      const outcomes = run(policy).map(({ result, message }) => ({ result, message }));
      expect(outcomes).toMatchObject([{ result: "error" }, { result: "error" }]);
      expect(mutationScore(policy, tests, environment).failing).toMatchObject(outcomes);
    },
  );
});
