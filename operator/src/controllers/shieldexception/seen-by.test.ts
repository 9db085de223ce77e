import type { ShieldPolicy } from "@shieldx/crds";
import { expect, it } from "vitest";
import { isSeenByAudit } from "./seen-by.ts";

const policy = (operations: string[], resources: string[], over: object = {}) => ({
  spec: {
    engine: "cel",
    actions: { admission: "deny", background: "audit" },
    validations: [{ expression: "true" }],
    matchConstraints: { resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations, resources }] },
    ...over,
  } as unknown as ShieldPolicy["spec"],
});

it.each([
  [["CREATE"], ["pods"], true],
  [["DELETE", "UPDATE"], ["pods/exec", "pods"], true],
  [["*"], ["*"], true],
  [["*"], ["*/*"], true],
  [["DELETE"], ["pods"], false],
  [["CONNECT"], ["*/*"], false],
  [["CREATE"], ["pods/ephemeralcontainers"], false],
  [["*"], ["pods/*", "*/scale"], false],
])("%s of %s: %s", (operations, resources, expected) => {
  expect(isSeenByAudit(policy(operations, resources))).toBe(expected);
});

it("is so for what a policy judges, not for what it changes", () => {
  const mutations = [{ patchType: "JSONPatch", jsonPatch: { expression: "[]" } }];
  expect(isSeenByAudit(policy(["CREATE"], ["pods"], { mutations, validations: undefined }))).toBe(false);
  expect(isSeenByAudit(policy(["CREATE"], ["pods"], { mutations }))).toBe(true);
  expect(isSeenByAudit(policy([], [], { engine: "podSecurity", matchConstraints: {} }))).toBe(true);
});
