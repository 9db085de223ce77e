import { describe, expect, it } from "vitest";
import { admissionPolicies, oneAdmissionPolicy } from "../render/admission-policies.ts";
import { gatekeeperRules } from "../render/gatekeeper.ts";
import { shieldPolicies } from "../render/shield-policies.ts";
import { baseRules } from "./base-rules.ts";
import { judgedPods, rulesOf, spread } from "./rules.ts";

const rules = rulesOf(1_000);

describe("a thousand rules", () => {
  it.each(["name", "cel", "message"] as const)("are distinct in their %s", (part) => {
    expect(new Set(rules.map((rule) => rule[part])).size).toBe(1_000);
  });

  it("begin with those of a smaller count, one variant of each base after the other", () => {
    expect(rulesOf(200)).toEqual(
      rules.slice(0, 200).map((rule) => expect.objectContaining({ name: rule.name })),
    );
    expect(new Set(rulesOf(16).map(({ base }) => base.name)).size).toBe(baseRules.length);
  });

  it("come with a Pod that breaks each and one that only comes close", () => {
    const pods = judgedPods(rules);
    expect(pods.filter(({ breaks }) => breaks !== undefined)).toHaveLength(1_000);
    expect(pods.filter(({ breaks }) => breaks === undefined)).toHaveLength(1_001);
    expect(new Set(pods.map(({ pod }) => JSON.stringify(pod))).size).toBe(2_001);
  });
});

it("spreads from the first to the last, or leaves few as they are", () => {
  expect(spread([1, 2, 3, 4, 5], 3)).toEqual([1, 3, 5]);
  expect(spread([1, 2], 3)).toEqual([1, 2]);
});

describe("rendering", () => {
  const few = rulesOf(20);

  it("puts all rules into one ValidatingAdmissionPolicy, or each into its own", () => {
    const one = oneAdmissionPolicy("one", few).policies[0] as { spec: { validations: unknown[] } };
    expect(one.spec.validations).toHaveLength(20);
    const { policies, bindings } = admissionPolicies("each", few);
    expect([policies.length, bindings.length]).toEqual([20, 20]);
  });

  it("gives rules of one base a template that they share by parameters, or one each", () => {
    const kinds = (form: "parameters" | "templates") =>
      new Set(gatekeeperRules(form, few, ["bench"]).map(({ constraint }) => constraint.kind)).size;
    expect([kinds("parameters"), kinds("templates")]).toEqual([16, 20]);
  });

  it.each(["cel", "rego", "native"] as const)("makes a ShieldPolicy in %s of each rule", (language) => {
    const policies = shieldPolicies("own", language, few);
    expect(new Set(policies.map(({ metadata }) => (metadata as { name: string }).name)).size).toBe(20);
  });
});
