import type { ReconcileContext } from "@shieldx/controller-runtime";
import { keptSpecOf, rolloutDigest, type ShieldPolicy } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import type { OperatorContext } from "../../context.ts";
import { asPolicy, type ShieldPolicyObject } from "../../kinds.ts";
import { PolicyWorld } from "../../policy-world.ts";
import { NativeStandings } from "./standings.ts";
import { Wants } from "./wants.ts";

const rule = { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] };
const specOf = (expression: string, more: object = {}) => ({
  engine: "cel",
  evaluation: "Auto",
  actions: { admission: "deny" },
  matchConstraints: { matchPolicy: "Equivalent", resourceRules: [{ ...rule, scope: "*" }] },
  validations: [{ expression, message: "no" }],
  ...more,
});

/** Goes in by stages after a version whose one rule is `before`. */
function staged(before: string): ShieldPolicyObject {
  const policy = {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldPolicy",
    metadata: { name: "p", uid: "u", generation: 2 },
    spec: specOf("true", { rollout: { shadow: { duration: "1h" } } }),
  } as unknown as ShieldPolicyObject;
  const old = specOf(before) as unknown as ShieldPolicy["spec"];
  const rollout = {
    ...{ digest: rolloutDigest(asPolicy(policy).spec), generation: 2, stage: "Shadow", step: "shadow" },
    ...{ percent: 0, turn: 1, since: "2026-01-01T00:00:00Z" },
    inForce: { digest: rolloutDigest(old), spec: keptSpecOf(old) },
  };
  return { ...policy, status: { enforcedBy: "Webhook", rollout } } as unknown as ShieldPolicyObject;
}

function wantedOf(policy: ShieldPolicyObject) {
  const world = new PolicyWorld({
    sources: { policies: () => [policy], exceptions: () => [], leases: () => [] },
    serverMinor: 37,
    ownNamespaces: [],
    rego: {
      want: () => {},
      state: () => ({ kind: "compiling" }),
      outdated: () => undefined,
      onChange: () => {},
    },
  });
  const native = new NativeStandings();
  native.release("p", policy.metadata);
  const operator = { world, native, ownNamespaces: [], serverMinor: 37, servesMutatingPolicies: true };
  const [installed, mayMerge] = [() => true, () => true];
  return new Wants(operator as unknown as OperatorContext).observe(
    {} as ReconcileContext,
    [policy],
    installed,
    mayMerge,
    Date.parse("2026-01-01T00:00:00Z"),
  );
}

describe("what the API server evaluates of a version before one that is staged", () => {
  it("goes once the webhook acts by that version", () => {
    expect(wantedOf(staged("false"))).toEqual([]);
  });

  it("stays where the webhook does not understand it: nobody else would act by it", () => {
    expect(wantedOf(staged("laterFunction(object)"))).toMatchObject([{ policy: "p", rendered: undefined }]);
  });
});
