// A version that the API server is to evaluate: requests are the webhook's until it does.
import type { ShieldPolicy } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { admissionRequest, celPolicy, newYear, podObject } from "../../testing/objects.ts";
import { buildPolicySet } from "./build.ts";
import type { PolicySet } from "./policy-set.ts";

const none = { exceptions: [], serverMinor: 37 };
const context = { namespaceLabels: {}, now: newYear };
const pods: Partial<ShieldPolicy["spec"]> = {
  matchConstraints: {
    matchPolicy: "Equivalent",
    resourceRules: [
      { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"], scope: "*" },
    ],
  },
};

function version(
  generation: number,
  evaluation: "Auto" | "Native" | "Webhook",
  expression: string,
  enforcedBy?: "Native" | "Webhook",
): ShieldPolicy {
  const policy = celPolicy("p", {
    ...pods,
    evaluation,
    validations: [{ expression, message: "never" }],
  });
  return {
    ...policy,
    metadata: { ...policy.metadata, generation },
    ...(enforcedBy === undefined ? {} : { status: { enforcedBy } }),
  };
}
const isRefused = (set: PolicySet) => !set.evaluate(admissionRequest(podObject("x")), context).allowed;
/** What a later API server may know, and ShieldX does not. */
const unknown = "laterFunction(object)";

describe("a version that only the API server understands", () => {
  const before = buildPolicySet({ ...none, policies: [version(1, "Webhook", "false", "Webhook")] });

  it.each(["Auto", "Native"] as const)(
    "leaves the one before in force until the API server has taken over (%s)",
    (evaluation) => {
      const next = version(2, evaluation, unknown, "Webhook");
      const set = buildPolicySet({ ...none, policies: [next], previous: before });
      expect(isRefused(set)).toBe(true);
      expect(set.problems).toEqual([]);
      expect(set.policy("p")).toMatchObject({ generation: 2, source: next });
      expect(isRefused(buildPolicySet({ ...none, policies: [next], previous: set }))).toBe(true);
      const taken = version(2, evaluation, unknown, "Native");
      expect(isRefused(buildPolicySet({ ...none, policies: [taken], previous: set }))).toBe(false);
    },
  );

  it("is left to failurePolicy where there is none before, and says so", () => {
    const next = version(2, "Native", unknown, "Webhook");
    const set = buildPolicySet({ ...none, policies: [next] });
    expect(isRefused(set)).toBe(true);
    expect(set.policy("p")?.notJudged).toContain("laterFunction");
    const third = buildPolicySet({
      ...none,
      policies: [version(3, "Native", "laterStill(1)", "Webhook")],
      previous: set,
    });
    expect(third.policy("p")?.notJudged).toContain("laterStill");
    const { denials } = set.evaluate(admissionRequest(podObject("x")), context);
    expect(denials).toMatchObject([
      { code: "EvaluationError", message: expect.stringContaining("laterFunction") },
    ]);
  });
});

describe("the digest of a set", () => {
  it("tells a replica that judges because the status says so from one that does not know yet", () => {
    const digest = (policy: ShieldPolicy) => buildPolicySet({ ...none, policies: [policy] }).digest;
    expect(digest(version(1, "Auto", "false", "Webhook"))).not.toBe(digest(version(1, "Auto", "false")));
    expect(digest(version(1, "Auto", "false", "Native"))).toBe(digest(version(1, "Auto", "false")));
    expect(digest(version(1, "Webhook", "false", "Webhook"))).toBe(digest(version(1, "Webhook", "false")));
  });
});
