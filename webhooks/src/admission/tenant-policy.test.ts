import type { RegoPolicyState } from "@shieldx/policy-engine";
import { describe, expect, it } from "vitest";
import type { AdmissionRequest } from "../server/admission-review.ts";
import { judgeTenantPolicy, type TenantPolicyParts } from "./tenant-policy.ts";

const spec = {
  engine: "cel",
  matchConstraints: {
    resourceRules: [
      { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] },
    ],
  },
  validations: [{ expression: "true" }],
  actions: { admission: "deny" },
};
const request = (more: object = {}, asked: Partial<AdmissionRequest> = {}): AdmissionRequest => ({
  uid: "1",
  kind: { group: "shieldx.io", version: "v1alpha1", kind: "NamespacedShieldPolicy" },
  resource: { group: "shieldx.io", version: "v1alpha1", resource: "namespacedshieldpolicies" },
  operation: "CREATE",
  namespace: "shop",
  userInfo: { username: "tess" },
  object: {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "NamespacedShieldPolicy",
    metadata: { name: "own" },
    spec: { ...spec, ...more },
  },
  ...asked,
});
function judge(asked: AdmissionRequest, more: Partial<TenantPolicyParts> = {}) {
  const compiling: RegoPolicyState = { kind: "compiling" };
  const parts: TenantPolicyParts = {
    policiesIn: () => [],
    neverJudged: ["shieldx-system"],
    serverMinor: () => 37,
    rego: { prepare: async () => compiling, state: () => compiling },
    findReadable: async () => ({ problems: [], unknown: [] }),
    ...more,
  };
  return judgeTenantPolicy(asked, parts, 2_000);
}
const messageOf = async (answer: ReturnType<typeof judge>) => (await answer).status?.message;

describe("a NamespacedShieldPolicy at admission", () => {
  it("passes where it keeps to its namespace", async () => {
    expect(await judge(request())).toEqual({ allowed: true });
  });

  it.each([
    ["that its schema refuses", { engine: "podSecurity" }, /spec\.podSecurity/],
    [
      "that does not compile",
      { validations: [{ expression: "object. ==" }] },
      /validations\[0\]\.expression/,
    ],
    [
      "that fails its own tests",
      {
        tests: [
          {
            name: "refused",
            object: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" } },
            expect: { decision: "deny" },
          },
        ],
      },
      /case "refused"/,
    ],
    [
      "that reaches too far",
      {
        matchConstraints: {
          resourceRules: [
            { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["secrets"] },
          ],
        },
      },
      /cannot be about secrets/,
    ],
  ])("is refused where it is one %s", async (_, more, message) => {
    expect(await messageOf(judge(request(more)))).toMatch(message);
  });

  it.each(["kube-system", "kube-node-lease", "shieldx-system"])("is refused in %s", async (namespace) => {
    expect(await messageOf(judge(request({}, { namespace })))).toContain(
      `no policy acts in namespace "${namespace}"`,
    );
  });

  it("is refused where there are too many, and can be changed all the same", async () => {
    const policiesIn = () => Array.from({ length: 32 }, (_, at) => `p${at}`);
    expect(await messageOf(judge(request(), { policiesIn }))).toContain("may have 32");
    const update = request({}, { operation: "UPDATE", oldObject: {} });
    expect(await judge(update, { policiesIn })).toEqual({ allowed: true });
    const again = () => [...policiesIn().slice(1), "own"];
    expect(await judge(request(), { policiesIn: again })).toEqual({ allowed: true });
  });

  it("is refused where its author may not read what it looks at, and told where that is not known", async () => {
    const problems = ["spec.paramRef: you may not get configmaps"];
    expect(await messageOf(judge(request(), { findReadable: async () => ({ problems, unknown: [] }) }))).toBe(
      problems[0],
    );
    const unknown = ["spec.paramRef: the authorizer could not be asked"];
    const answer = await judge(request(), { findReadable: async () => ({ problems: [], unknown }) });
    expect(answer).toEqual({ allowed: true, warnings: unknown });
  });

  it("passes with a warning where there was no time to compile it", async () => {
    const rego = { engine: "rego", validations: undefined, rego: { module: "package a" } };
    const { allowed, warnings } = await judge(request(rego));
    expect(allowed).toBe(true);
    expect(warnings?.[0]).toContain("not checked in time");
  });
});
