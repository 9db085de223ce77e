import type { ShieldPolicy } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { buildPolicySet } from "../build.ts";
import { MAX_TENANT_POLICIES, withinBound } from "./bound.ts";

const named = (name: string, creationTimestamp = "2027-01-01T00:00:00Z") =>
  ({ metadata: { name, uid: name, creationTimestamp } }) as ShieldPolicy;
const many = (namespace: string, count: number) =>
  Array.from({ length: count }, (_, at) => named(`${namespace}/p${String(at).padStart(3, "0")}`));

describe("how many policies tenants have", () => {
  it("is bounded for each namespace, and the oldest stay", () => {
    const newest = named("a/000", "2027-01-02T00:00:00Z");
    const all = [newest, ...many("a", MAX_TENANT_POLICIES), ...many("b", 3), named("of-the-cluster")];
    const { policies, beyond } = withinBound(all);
    expect(beyond).toEqual([newest]);
    expect(policies).toHaveLength(all.length - 1);
  });

  it("comes to the same whatever order they come in", () => {
    const all = many("a", MAX_TENANT_POLICIES + 5);
    const names = (policies: readonly ShieldPolicy[]) => policies.map(({ metadata }) => metadata.name).sort();
    expect(names(withinBound(all.toReversed()).beyond)).toEqual(names(withinBound(all).beyond));
  });

  it("is no matter for the cluster's", () => {
    const all = Array.from({ length: 200 }, (_, at) => named(`p${at}`));
    expect(withinBound(all)).toEqual({ policies: all, beyond: [] });
  });

  it("is told of those that are left out", () => {
    const set = buildPolicySet({ policies: [], beyond: [named("a/late")], exceptions: [], serverMinor: 37 });
    expect(set.problems).toMatchObject([
      { kind: "NamespacedShieldPolicy", name: "a/late", error: { code: "TooManyPolicies" } },
    ]);
    expect(set.problems[0]?.error.message).toContain('namespace "a" has more than 32');
  });
});
