import { actsInNamespace, keptSpecOf, rolloutDigest, type ShieldPolicy } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { admissionRequest, celPolicy, newYear, podObject, podSecurityPolicy } from "../../testing/objects.ts";
import { buildPolicySet, type PolicySetInput } from "./build.ts";
import type { EvaluationContext, PolicySet } from "./policy-set.ts";
import type { AdmissionRequestLike } from "./request.ts";

const context: EvaluationContext = { namespaceLabels: {}, now: newYear, deadlineMs: 1000 };
const rollout = { shadow: { duration: "1h" } };
const specOf = (level: "privileged" | "baseline" | "restricted"): Partial<ShieldPolicy["spec"]> => ({
  podSecurity: { level, version: "latest" },
  rollout,
});
const strict = podSecurityPolicy("p", specOf("restricted"));
const mild = podSecurityPolicy("p", specOf("baseline"));

const inStep = (stage: string, percent: number, before: ShieldPolicy | "none" = mild): ShieldPolicy => ({
  ...strict,
  ...statusOf(strict, stage, percent, before === "none" ? undefined : before),
});
const statusOf = (
  { spec }: ShieldPolicy,
  stage: string,
  percent: number,
  before: ShieldPolicy | undefined,
): Required<Pick<ShieldPolicy, "status">> => ({
  status: {
    rollout: {
      digest: rolloutDigest(spec),
      generation: 1,
      stage: stage as "Canary",
      step: stage.toLowerCase(),
      percent,
      turn: 4,
      since: "2026-01-01T00:00:00Z",
      ...(before === undefined
        ? {}
        : { inForce: { digest: rolloutDigest(before.spec), spec: keptSpecOf(before.spec) } }),
    },
  },
});
const setOf = (policy: ShieldPolicy, more: Partial<PolicySetInput> = {}): PolicySet =>
  buildPolicySet({ policies: [policy], exceptions: [], serverMinor: 37, keepsStages: true, ...more });

/** Breaks restricted, keeps baseline. */
const loose = (namespace: string): AdmissionRequestLike =>
  admissionRequest(podObject("loose", {}, { namespace }), { namespace });
/** Breaks both. */
const bad = (namespace: string): AdmissionRequestLike =>
  admissionRequest(podObject("bad", { hostNetwork: true }, { namespace }), { namespace });
const names = Array.from({ length: 50 }, (_, at) => `team-${at}`);
const chosen = names.find((name) => actsInNamespace("p", 30, name)) ?? "";
const other = names.find((name) => !actsInNamespace("p", 30, name)) ?? "";

const allows = (set: PolicySet, request: AdmissionRequestLike, failurePolicy?: "Fail" | "Ignore"): boolean =>
  set.evaluate(request, { ...context, ...(failurePolicy && { failurePolicy }) }).allowed;
const shadowed = (set: PolicySet, request: AdmissionRequestLike) => {
  const turns = set.shadowing(request, context);
  for (;;) {
    const step = turns.next();
    if (step.done === true) return step.value;
  }
};

describe("a version in shadow", () => {
  const set = setOf(inStep("Shadow", 0));

  it("acts on nothing, and would say what it says", () => {
    expect(allows(set, loose(chosen))).toBe(true);
    expect(set.evaluate(loose(chosen), context)).toMatchObject({ warnings: [], audits: [], staged: [] });
    expect(set.hasShadows(loose(chosen))).toBe(true);
    const verdict = shadowed(set, loose(chosen));
    expect(verdict.denials[0]?.message).toContain("restricted");
    expect(verdict.staged).toMatchObject([{ policy: "p" }]);
  });

  it("leaves the version before in force, by its own failurePolicy", () => {
    expect(allows(set, bad(other))).toBe(false);
    expect(set.evaluate(bad(other), context).denials[0]?.message).toContain("baseline");
    expect(allows(set, bad(other), "Fail")).toBe(false);
    expect(allows(set, bad(other), "Ignore")).toBe(true);
  });

  it("is all there is where no version before is known", () => {
    expect(allows(setOf(inStep("Shadow", 0, "none")), bad(other))).toBe(true);
  });
});

describe("a version in a canary step", () => {
  const set = setOf(inStep("Canary", 30));

  it("acts in its namespaces, and the one before in the others", () => {
    expect(allows(set, loose(chosen))).toBe(false);
    expect(allows(set, loose(other))).toBe(true);
    expect(allows(set, bad(other))).toBe(false);
    expect(set.evaluate(bad(chosen), context).denials).toHaveLength(1);
    expect(set.hasShadows(loose(chosen))).toBe(false);
    expect(set.hasShadows(loose(other))).toBe(true);
  });

  it("is called for by Ignore", () => {
    expect(allows(set, loose(chosen), "Ignore")).toBe(false);
    expect(allows(set, loose(chosen), "Fail")).toBe(true);
  });

  it("does not act on what is in no namespace, a Namespace among them", () => {
    const about = (resource: string) => ({
      apiGroups: [""],
      apiVersions: ["v1"],
      operations: ["CREATE" as const],
      resources: [resource],
      scope: "*" as const,
    });
    const never = celPolicy("p", {
      matchConstraints: {
        matchPolicy: "Equivalent",
        resourceRules: [about("namespaces"), about("persistentvolumes")],
      },
      validations: [{ expression: "false", message: "never" }],
      rollout,
    });
    const step = (stage: string, percent: number) =>
      setOf({ ...never, ...statusOf(never, stage, percent, undefined) });
    const request = (resource: string, namespace?: string) =>
      admissionRequest(
        { apiVersion: "v1", kind: "Any", metadata: { name: chosen } },
        { namespace, resource: { group: "", version: "v1", resource } },
      );
    for (const each of [request("namespaces", chosen), request("persistentvolumes")]) {
      expect(allows(step("Canary", 30), each)).toBe(true);
      expect(step("Canary", 30).hasShadows(each)).toBe(true);
      expect(allows(step("Bake", 100), each)).toBe(false);
    }
  });
});

describe("a version that bakes", () => {
  it("acts everywhere alone, whichever configuration calls", () => {
    const set = setOf(inStep("Bake", 100));
    for (const failurePolicy of ["Fail", "Ignore"] as const)
      expect(allows(set, loose(other), failurePolicy)).toBe(false);
    expect(set.evaluate(bad(other), context).denials).toHaveLength(1);
    expect(set.hasShadows(loose(other))).toBe(false);
  });
});

describe("a set that is built anew", () => {
  it("keeps what was in force until the status speaks of the new version", () => {
    const { rollout: _, ...whole } = mild.spec;
    const first = setOf({ ...mild, spec: whole });
    const changed = { ...strict, metadata: { ...strict.metadata, generation: 2 } };
    const second = setOf(changed, { previous: first });
    expect(allows(second, loose(other))).toBe(true);
    expect(allows(second, bad(other))).toBe(false);
    const told = inStep("Shadow", 0, "none");
    const third = setOf({ ...changed, ...(told.status && { status: told.status }) }, { previous: second });
    expect(allows(third, bad(other))).toBe(true);
  });

  it("follows the status though the policy is the same, and takes over what is", () => {
    const first = setOf(inStep("Canary", 30));
    const second = setOf(inStep("Canary", 30), { previous: first });
    expect(second.policy("p")).toBe(first.policy("p"));
    const back = setOf(inStep("RolledBack", 0), { previous: second });
    expect(allows(back, loose(chosen))).toBe(true);
    expect(back.digest).toBe(first.digest);
    const full = setOf(inStep("Full", 100), { previous: back });
    expect(full.policy("p")?.stage).toBeUndefined();
    expect(allows(full, loose(other), "Fail")).toBe(false);
  });

  it("holds files to no stage", () => {
    const set = buildPolicySet({ policies: [inStep("Shadow", 0)], exceptions: [], serverMinor: 37 });
    expect(allows(set, loose(other))).toBe(false);
  });
});
