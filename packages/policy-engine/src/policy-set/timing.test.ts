import type { ShieldPolicy } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { admissionRequest, celPolicy, newYear, offender, podSecurityPolicy } from "../../testing/objects.ts";
import { EvaluationError } from "../rego/builtins/contract.ts";
import type { RegoQuestion } from "../rego/program/index.ts";
import type { RegoLookup } from "../rego-policies/state.ts";
import { buildPolicySet } from "./build.ts";
import type { EvaluationContext } from "./policy-set.ts";
import { inTurns } from "./timing.ts";

/** A clock that goes on by each look at it, and how much of that the thread computes. */
function clocks(stepMs: number, cpuShare: number) {
  let now = 0;
  return { monotonicNow: () => (now += stepMs), cpuNow: () => now * cpuShare };
}

const context: EvaluationContext = { namespaceLabels: {}, now: newYear };
const names = ["a", "b", "c", "d", "e", "f"];
const request = admissionRequest(offender());

describe("policies in turns", () => {
  const set = buildPolicySet({
    policies: names.map((name) => podSecurityPolicy(name)),
    exceptions: [],
    serverMinor: 37,
  });

  it("let others in between policies, and come to the same verdict", async () => {
    let pauses = 0;
    const turns = set.evaluation(request, { ...context, ...clocks(5, 0.1) });
    const verdict = await inTurns(turns, async () => {
      pauses += 1;
    });
    expect(pauses).toBeGreaterThan(1);
    expect(pauses).toBeLessThan(names.length * 4);
    expect(verdict).toEqual(set.evaluate(request, context));
    expect(verdict.denials).toHaveLength(names.length);
  });

  it("take no turns where nobody waits", () => {
    const { monotonicNow } = clocks(10, 1);
    const turns = set.evaluation(request, { ...context, monotonicNow });
    expect(turns.next().done).toBe(true);
  });
});

describe("a policy that takes long at a stretch", () => {
  const slow =
    "[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c, a + b + c > 0)))";
  const pods = { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE" as const], resources: ["pods"] };
  const matchConstraints = {
    matchPolicy: "Equivalent" as const,
    resourceRules: [{ ...pods, scope: "*" as const }],
  };
  const aboutPods = (name: string, expression: string) =>
    celPolicy(name, { evaluation: "Webhook", matchConstraints, validations: [{ expression }] });
  const policies = [aboutPods("slow", slow), aboutPods("swift", "false")];
  const set = buildPolicySet({ policies, exceptions: [], serverMinor: 37 });
  const held = (cpuShare: number) =>
    set
      .evaluate(request, { ...context, ...clocks(9, cpuShare) })
      .denials.map(({ policy, code, message }) => ({
        policy,
        code,
        message,
      }));

  it("is given up, which failurePolicy is told of, and the next is held against the request", () => {
    const [slow, swift] = held(1);
    expect(slow).toMatchObject({ policy: "slow", code: "DeadlineExceeded" });
    expect(slow?.message).toContain("took more than 32 ms of CPU on one request");
    expect(swift).toMatchObject({ policy: "swift", code: "PolicyViolation" });
  });

  it("does not use up the next one's time where it looked at no clock", () => {
    let now = 0;
    const clock = { monotonicNow: () => now, cpuNow: () => now };
    /** What takes 30 ms; a module is the number of milliseconds after which it looks at the clock. */
    const rego: RegoLookup = ({ rego: { module = "" } = {} }) => {
      const evaluate = ({ context: { isPastDeadline } }: RegoQuestion): readonly string[] => {
        for (let at = 0; at < 30; at += Number(module)) {
          now += Number(module);
          if (module !== "30" && isPastDeadline?.()) throw new EvaluationError("eval_cancel_error", "late");
        }
        return [];
      };
      return { kind: "ready", program: { entrypoint: "data.a.deny", rule: "deny", evaluate } };
    };
    const { validations: _, ...spec } = celPolicy("a").spec;
    const inRego = (name: string, module: string): ShieldPolicy => ({
      ...celPolicy(name),
      spec: { ...spec, engine: "rego", matchConstraints, rego: { module, version: "v1" } },
    });
    const policies = [inRego("a", "30"), inRego("b", "5")];
    const set = buildPolicySet({ policies, exceptions: [], serverMinor: 37, rego });
    expect(set.evaluate(request, { ...context, ...clock })).toMatchObject({
      denials: [],
      matched: ["a", "b"],
    });
  });

  it("is not, while the process stands still for lack of CPU", () => {
    expect(held(0)).toMatchObject([{ policy: "swift", code: "PolicyViolation" }]);
  });
});
