import { rolloutDigest } from "@shieldx/crds";
import { expect, it } from "vitest";
import { asPolicy, type ShieldPolicyObject } from "./kinds.ts";
import { VersionsBefore } from "./versions-before.ts";

const policy = (spec: object, enforcedBy?: "Native" | "Webhook" | "None", uid = "u"): ShieldPolicyObject =>
  ({
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldPolicy",
    metadata: { name: "p", uid },
    spec: { engine: "podSecurity", actions: { admission: "deny" }, ...spec },
    ...(enforcedBy === undefined ? {} : { status: { enforcedBy } }),
  }) as unknown as ShieldPolicyObject;
const rollout = { shadow: { duration: "1h" } };

it("remembers what was in force when a policy gets its rollout, and nothing else", () => {
  const known = (before: ShieldPolicyObject, after: ShieldPolicyObject) => {
    const versions = new VersionsBefore();
    versions.changed(before, after);
    return versions.of("u");
  };
  const before = policy({ failurePolicy: "Fail" }, "Native");
  const after = policy({ failurePolicy: "Ignore", rollout }, "Native");
  expect(known(before, after)).toEqual({ digest: rolloutDigest(asPolicy(before).spec), spec: before.spec });
  expect(known(policy({}, "None"), after)).toBeUndefined();
  expect(known(policy({}), after)).toBeUndefined();
  expect(known(before, policy({}))).toBeUndefined();
  expect(known(policy({ rollout }, "Webhook"), after)).toBeUndefined();
  expect(known(policy({}, "Native", "another"), after)).toBeUndefined();
});

it("has room for so many, and forgets", () => {
  const versions = new VersionsBefore();
  for (let at = 0; at < 1_500; at++)
    versions.changed(policy({}, "Native", `u${at}`), policy({ rollout }, "Native", `u${at}`));
  expect(versions.of("u0")).toBeUndefined();
  expect(versions.of("u1499")).toBeDefined();
  versions.forget("u1499");
  expect(versions.of("u1499")).toBeUndefined();
});
