import { describe, expect, it } from "vitest";
import {
  areMutationsPublished,
  decideMutations,
  type MutatingPolicy,
  type MutationsObservation,
  mutatingPolicyOf,
} from "./decide-mutations.ts";

const calls = (more: object = {}) =>
  ({
    engine: "cel",
    failurePolicy: "Fail",
    matchConstraints: {
      matchPolicy: "Equivalent",
      resourceRules: [
        {
          apiGroups: [""],
          apiVersions: ["v1"],
          resources: ["configmaps", "nodes"],
          operations: ["*"],
        },
      ],
    },
    mutations: { reinvocationPolicy: "IfNeeded" },
    ...more,
  }) as Parameters<typeof mutatingPolicyOf>[1];

const policy = (name: string, more: object = {}, isLoaded = true): MutatingPolicy => {
  const made = mutatingPolicyOf(name, calls(more), isLoaded);
  if (made === undefined) throw new Error("it mutates nothing");
  return made;
};

const observe = (
  policies: readonly MutatingPolicy[],
  more: Partial<MutationsObservation> = {},
): MutationsObservation => ({
  namespace: "shieldx-system",
  ownNamespaces: ["shieldx-system"],
  address: { kind: "service", namespace: "shieldx-system" },
  caBundlePem: "pem",
  policies,
  published: [],
  held: undefined,
  ...more,
});

describe("decideMutations", () => {
  it("wants no configuration where no policy mutates", () => {
    expect(decideMutations(observe([])).configuration).toBeUndefined();
    expect(mutatingPolicyOf("p", calls({ mutations: undefined }), true)).toBeUndefined();
  });

  it("calls for creates and updates only, never for what is always left alone or is being deleted", () => {
    const { configuration } = decideMutations(observe([policy("p")]));
    const entries = configuration?.webhooks ?? [];
    expect(entries.map(({ name }) => name)).toEqual([
      "fail.mutations.shieldx.io",
      "updates.fail.mutations.shieldx.io",
      "probe.shieldx.io",
    ]);
    const rule = { apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"], scope: "*" };
    expect(entries.slice(0, 2).map(({ rules }) => rules)).toEqual([
      [{ ...rule, operations: ["CREATE"] }],
      [{ ...rule, operations: ["UPDATE"] }],
    ]);
    expect(entries[0]).toMatchObject({
      failurePolicy: "Fail",
      reinvocationPolicy: "IfNeeded",
      sideEffects: "None",
      clientConfig: { service: { path: "/mutate/policies/fail" } },
      namespaceSelector: {
        matchExpressions: [
          { operator: "NotIn", values: ["kube-node-lease", "kube-system", "shieldx-system"] },
        ],
      },
    });
    expect(entries[0]?.matchConditions).toBeUndefined();
    expect(entries[1]?.matchConditions?.[0]?.expression).toContain("deletionTimestamp");
  });

  it("keeps failure and reinvocation policies apart, those that refuse first", () => {
    const { configuration } = decideMutations(
      observe([
        policy("a", { failurePolicy: "Ignore" }),
        policy("b", { mutations: { reinvocationPolicy: "Never" } }),
        policy("c"),
      ]),
    );
    const creates = (configuration?.webhooks ?? []).filter(({ name }) => !/^(updates|probe)\./.test(name));
    expect(
      creates.map(({ name, failurePolicy, reinvocationPolicy }) => [name, failurePolicy, reinvocationPolicy]),
    ).toEqual([
      ["fail.mutations.shieldx.io", "Fail", "IfNeeded"],
      ["once.fail.mutations.shieldx.io", "Fail", "Never"],
      ["ignore.mutations.shieldx.io", "Ignore", "IfNeeded"],
    ]);
  });

  it("waits for a replica before it calls, and keeps what it called when replicas go", () => {
    const unloaded = policy("p", {}, false);
    const waiting = decideMutations(observe([unloaded]));
    expect(waiting.configuration).toBeUndefined();
    expect([...waiting.waiting]).toEqual([["p", "WaitingForReplica"]]);
    const before = decideMutations(observe([policy("p")])).configuration;
    const kept = decideMutations(observe([unloaded], { published: [before] }));
    expect(kept.configuration).toEqual(before);
    // Called by one class says nothing about another.
    const once = policy("p", { mutations: { reinvocationPolicy: "Never" } }, false);
    expect(decideMutations(observe([once], { published: [before] })).configuration).toBeUndefined();
    expect(areMutationsPublished(unloaded, before, ["shieldx-system"])).toBe(true);
    expect(areMutationsPublished(once, before, ["shieldx-system"])).toBe(false);
    expect(areMutationsPublished(unloaded, undefined, ["shieldx-system"])).toBe(false);
  });

  it("holds entries that a policy which cannot be read may need", () => {
    const before = decideMutations(observe([policy("p")])).configuration;
    expect(decideMutations(observe([], { held: before })).configuration).toEqual(before);
  });
});
