import fc from "fast-check";
import { expect, it } from "vitest";
import { formatKeptPolicies, type KeptPolicy, parseKeptPolicies, webhookCallsOf } from "./kept-policies.ts";

const calls = fc.record(
  {
    engine: fc.constant("cel"),
    failurePolicy: fc.constantFrom("Fail", "Ignore"),
    matchConstraints: fc.record(
      {
        objectSelector: fc.constant({ matchLabels: { a: "b" } }),
        resourceRules: fc.constant([
          { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] },
        ]),
        matchPolicy: fc.constant("Equivalent"),
      },
      { requiredKeys: ["matchPolicy"] },
    ),
    exemptNamespaces: fc.array(fc.string()),
  },
  { requiredKeys: ["failurePolicy"] },
);
const policy = fc.record(
  { name: fc.string(), uid: fc.string(), generation: fc.nat(), calls },
  { requiredKeys: ["name", "uid", "generation"] },
);

it("is read as it was written", () => {
  fc.assert(
    fc.property(fc.array(policy, { minLength: 1 }), (kept) => {
      const text = formatKeptPolicies(kept as unknown as KeptPolicy[]);
      expect(parseKeptPolicies(text)).toEqual({ policies: kept, more: 0 });
    }),
  );
  expect(formatKeptPolicies([])).toBeUndefined();
  expect(parseKeptPolicies(undefined)).toEqual({ policies: [], more: 0 });
});

it("takes what is no report for one it cannot read", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(parseKeptPolicies(text)).toEqual({ policies: [], more: 1 });
    }),
  );
});

it("fits into the annotations of one object, and says what did not", () => {
  const kept = Array.from({ length: 5_000 }, () => ({
    name: "\u{1f6e1}".repeat(60),
    uid: "u".repeat(36),
    generation: 1_000_000,
  }));
  const text = formatKeptPolicies(kept) ?? "";
  expect(Buffer.byteLength(text)).toBeLessThan(129 * 1024);
  const { policies, more } = parseKeptPolicies(text);
  expect(policies.length).toBeGreaterThan(100);
  expect(policies.length + more).toBe(5_000);
});

it("tells of tenants' what fits into their part, and lets none of them hold up the others", () => {
  const kept = Array.from({ length: 2_000 }, (_, at) => ({
    name: at % 2 === 0 ? `shop/${"t".repeat(60)}` : `cluster-${at}`,
    uid: "u".repeat(36),
    generation: 1,
  }));
  const { policies, more } = parseKeptPolicies(formatKeptPolicies(kept));
  const ofTenants = policies.filter(({ name }) => name.includes("/"));
  expect(ofTenants.length).toBeGreaterThan(100);
  expect(ofTenants.length).toBeLessThan(400);
  expect(policies.length - ofTenants.length + more).toBe(1_000);
});

it("names the calls of a policy that the webhook judges, also of one that lacks what its kind requires", () => {
  const bare = { engine: "podSecurity", podSecurity: { level: "baseline" } };
  const calls = (spec: object) => webhookCallsOf(spec as never);
  expect(calls(bare)).toEqual({ failurePolicy: "Ignore" });
  expect(calls({ ...bare, actions: { admission: "deny" } })).toEqual({ failurePolicy: "Fail" });
  expect(calls({ ...bare, actions: { admission: "off" } })).toBeUndefined();
  expect(calls({ ...bare, engine: "cel" })).toBeUndefined();
  expect(webhookCallsOf({ engine: "cel" } as never, "Webhook")).toEqual({
    engine: "cel",
    failurePolicy: "Ignore",
  });
  const everything = { resourceRules: [{ apiGroups: ["*"], resources: ["pods"] }] };
  expect(webhookCallsOf({ engine: "cel", matchConstraints: everything } as never, "Webhook")).toBeUndefined();
  expect(webhookCallsOf({ engine: "cel" } as never, "Native")).toBeUndefined();
  expect(calls({ engine: "cel", evaluation: "Webhook" })).toEqual({ engine: "cel", failurePolicy: "Ignore" });
  const matchConstraints = { objectSelector: { matchLabels: { a: "b" } } };
  const podSecurity = { level: "baseline", exemptions: { namespaces: ["x"] } };
  expect(calls({ ...bare, matchConstraints, podSecurity })).toEqual({
    failurePolicy: "Ignore",
    matchConstraints,
    exemptNamespaces: ["x"],
  });
});
