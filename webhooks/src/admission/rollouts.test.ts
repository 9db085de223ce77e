import { silentLogger } from "@shieldx/controller-runtime";
import { parseRolloutReports, rolloutDigest, type ShieldPolicy } from "@shieldx/crds";
import { buildPolicySet, type PolicySet } from "@shieldx/policy-engine";
import { Registry } from "prom-client";
import { expect, it } from "vitest";
import type { AdmissionRequest } from "../server/admission-review.ts";
import { AdmissionMetrics } from "./metrics.ts";
import { policyHandler } from "./policies.ts";
import { RolloutTally } from "./rollout-tally.ts";
import { Rollouts } from "./rollouts.ts";

const spec = {
  engine: "cel",
  evaluation: "Auto",
  matchConstraints: {
    matchPolicy: "Equivalent",
    resourceRules: [
      { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"], scope: "*" },
    ],
  },
  validations: [
    {
      expression: "authorizer.path('/x').check('get').allowed() && object.metadata.name != 'bad'",
      message: "it is bad",
    },
  ],
  actions: { admission: "deny" },
  rollout: { shadow: { duration: "1h" } },
} as unknown as ShieldPolicy["spec"];
const inStep = (stage: "Shadow" | "Bake", percent: number): PolicySet => {
  const rollout = {
    ...{ digest: rolloutDigest(spec), generation: 1, stage, step: stage.toLowerCase(), percent },
    ...{ turn: 2, since: "2026-01-01T00:00:00Z" },
  };
  const metadata = { name: "p", uid: "u", generation: 1 };
  const policy: ShieldPolicy = {
    ...{ apiVersion: "shieldx.io/v1alpha1", kind: "ShieldPolicy" },
    ...{ metadata, spec, status: { rollout } },
  };
  return buildPolicySet({ policies: [policy], exceptions: [], serverMinor: 37, keepsStages: true });
};

function setUp(set: PolicySet) {
  const metrics = new AdmissionMetrics(new Registry());
  metrics.keepPolicies(set.policies);
  const tally = new RolloutTally("one", () => {});
  tally.follow(set);
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  const outside = {
    askAuthorizer: async () => {
      asked.resolve();
      await answer.promise;
      return { allowed: true, reason: "", error: undefined };
    },
  } as never;
  const shared = { ...(outside as object), now: () => 0, metrics, logger: silentLogger };
  const rollouts = new Rollouts({ ...shared, tally } as never);
  const handler = policyHandler({
    ...shared,
    failurePolicy: "Ignore",
    policySet: () => set,
    findNamespace: async () => undefined,
    refusals: { tell: () => {} },
    rollouts,
  } as never);
  const ask = (name: string, over: Partial<AdmissionRequest> = {}, context: object = {}) => {
    const request = {
      ...{ uid: "1", operation: "CREATE", name, namespace: "shop", userInfo: { username: "jane" } },
      ...{ kind: { group: "", version: "v1", kind: "ConfigMap" } },
      ...{ resource: { group: "", version: "v1", resource: "configmaps" } },
      ...{ object: { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "shop" } } },
      ...over,
    };
    return handler(request as AdmissionRequest, { deadlineMs: 2_000, ...context } as never);
  };
  const counts = () => parseRolloutReports(tally.report())?.rollouts[0]?.counts;
  return { ask, counts, rollouts, asked: asked.promise, answer: () => answer.resolve() };
}

it("holds a version in shadow against a request that is answered already", async () => {
  const { ask, counts, rollouts, asked, answer } = setUp(inStep("Shadow", 0));
  // The authorizer answers only after the request is.
  expect(await ask("bad")).toEqual({ allowed: true });
  await asked;
  expect(counts()).toMatchObject({ requests: 0 });
  answer();
  await rollouts.whenCounted();
  expect(counts()).toMatchObject({ requests: 1, denied: 1, errors: 0, found: 1 });
  expect(await ask("good")).toEqual({ allowed: true });
  expect(await ask("bad", { dryRun: true })).toEqual({ allowed: true });
  await rollouts.whenCounted();
  expect(counts()).toMatchObject({ requests: 2, denied: 1 });
});

it("keeps no large request beyond its answer for a version in shadow", async () => {
  const { ask, counts, rollouts, answer } = setUp(inStep("Shadow", 0));
  answer();
  expect(await ask("bad", {}, { isLarge: true })).toEqual({ allowed: true });
  await rollouts.whenCounted();
  expect(counts()).toMatchObject({ requests: 0 });
});

it("counts what a version did that acts, dry runs excepted", async () => {
  const { ask, counts, answer } = setUp(inStep("Bake", 100));
  answer();
  expect(await ask("bad")).toMatchObject({ allowed: false });
  expect(await ask("bad", { dryRun: true })).toMatchObject({ allowed: false });
  expect(await ask("good")).toMatchObject({ allowed: true });
  expect(counts()).toMatchObject({ requests: 2, denied: 1, found: 1 });
});
