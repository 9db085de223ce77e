import { describe, expect, it } from "vitest";
import { hasWildcard, namedResources } from "./named-kinds.ts";

const rule = (apiGroups: string[], apiVersions: string[], resources: string[]) => ({
  apiGroups,
  apiVersions,
  resources,
});

describe("namedResources", () => {
  it("names each resource once, with the first version a rule names, and no subresources", () => {
    const resourceRules = [
      rule([""], ["v1"], ["pods", "pods/exec", "services"]),
      rule(["apps", "x.io"], ["*"], ["deployments", "things/*"]),
      rule(["x.io"], ["v1"], ["things"]),
    ];
    expect(namedResources({ name: "p", resourceRules })).toEqual([
      { group: "", version: "v1", plural: "pods" },
      { group: "", version: "v1", plural: "services" },
      { group: "apps", version: undefined, plural: "deployments" },
      { group: "x.io", version: undefined, plural: "deployments" },
      { group: "x.io", version: "v1", plural: "things" },
    ]);
  });

  it("leaves out wildcards and what is never judged", () => {
    const resourceRules = [
      rule(["*"], ["v1"], ["pods"]),
      rule([""], ["v1"], ["*", "*/scale", "nodes"]),
      rule(["shieldx.io"], ["v1alpha1"], ["shieldpolicies"]),
      rule(["coordination.k8s.io"], ["v1"], ["leases"]),
    ];
    expect(namedResources({ name: "p", resourceRules })).toEqual([]);
  });
});

it("tells rules that reach what they do not name", () => {
  const wild = (...resourceRules: ReturnType<typeof rule>[]) => hasWildcard({ name: "p", resourceRules });
  expect(wild(rule([""], ["*"], ["pods", "pods/*"]))).toBe(false);
  expect(wild(rule(["*"], ["v1"], ["pods"]))).toBe(true);
  expect(wild(rule([""], ["v1"], ["*"]))).toBe(true);
  expect(wild(rule([""], ["v1"], ["*/scale"]))).toBe(true);
});
