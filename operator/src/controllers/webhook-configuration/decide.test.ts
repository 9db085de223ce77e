import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decideWebhookConfigurations,
  type FailurePolicy,
  publishedCalls,
  type WebhookConfiguration,
  type WebhookObservation,
  type WebhookPolicy,
} from "./decide.ts";
import { callsOf, podSecurityCalls, rulesOf } from "./rules.ts";

const policy = (name: string, over: Partial<WebhookPolicy> = {}): WebhookPolicy => ({
  name,
  engine: "podSecurity",
  failurePolicy: "Fail",
  resourceRules: undefined,
  namespaceSelector: undefined,
  objectSelector: undefined,
  exemptNamespaces: [],
  isLoaded: true,
  ...over,
});
const observe = (policies: WebhookPolicy[], over: Partial<WebhookObservation> = {}): WebhookObservation => ({
  namespace: "shieldx-system",
  ownNamespaces: ["shieldx-system"],
  address: { kind: "service", namespace: "shieldx-system" },
  caBundlePem: "PEM",
  policies,
  published: { Fail: new Set(), Ignore: new Set() },
  publishedForTenants: { Fail: new Set(), Ignore: new Set() },
  held: { Fail: [], Ignore: [] },
  ...over,
});
const team = (name: string) => ({ matchLabels: { team: name } });

describe("decideWebhookConfigurations", () => {
  it("has no configuration without a policy", () => {
    expect(decideWebhookConfigurations(observe([]))).toEqual({
      fail: undefined,
      ignore: undefined,
      waiting: new Map(),
    });
  });

  it("takes nothing back of what has to be held, and waits for nobody", () => {
    const before = decideWebhookConfigurations(
      observe([policy("p"), policy("q", { namespaceSelector: team("blue") })]),
    ).fail;
    const held = { Fail: before?.webhooks ?? [], Ignore: [] };
    expect(decideWebhookConfigurations(observe([], { held }))).toEqual({
      fail: before,
      ignore: undefined,
      waiting: new Map(),
    });
  });

  it("holds nothing that somebody else put beside it: neither other kinds, nor namespaces that are never judged", () => {
    const before = decideWebhookConfigurations(observe([policy("p")])).fail?.webhooks ?? [];
    const everything = { apiGroups: ["*"], apiVersions: ["*"], resources: ["*/*"], operations: ["*"] };
    const [first] = before;
    const added = [
      { ...first, name: "a.example.com", rules: [everything] },
      { ...first, name: "b.example.com", namespaceSelector: {} },
    ];
    const held = { Fail: [...added, ...before] as never, Ignore: [] };
    expect(decideWebhookConfigurations(observe([], { held })).fail?.webhooks).toEqual(before);
    const alone = { Fail: added as never, Ignore: [] };
    expect(decideWebhookConfigurations(observe([], { held: alone })).fail).toBeUndefined();
  });

  it("publishes a loaded policy with the kinds it judges, and nothing else", () => {
    const { fail, ignore, waiting } = decideWebhookConfigurations(observe([policy("p")]));
    expect(ignore).toBeUndefined();
    expect([...waiting]).toEqual([]);
    expect(fail?.webhooks.map((entry) => entry.name)).toEqual([
      "policies.shieldx.io",
      "updates.policies.shieldx.io",
      "probe.shieldx.io",
    ]);
    expect(fail?.webhooks[0]).toMatchObject({
      failurePolicy: "Fail",
      timeoutSeconds: 5,
      matchPolicy: "Equivalent",
      sideEffects: "None",
      admissionReviewVersions: ["v1"],
      objectSelector: {},
      clientConfig: {
        caBundle: Buffer.from("PEM").toString("base64"),
        service: {
          namespace: "shieldx-system",
          name: "shieldx-webhooks",
          path: "/admit/policies/fail",
          port: 443,
        },
      },
      namespaceSelector: {
        matchExpressions: [
          {
            key: "kubernetes.io/metadata.name",
            operator: "NotIn",
            values: ["kube-node-lease", "kube-system", "shieldx-system"],
          },
        ],
      },
    });
  });

  it("waits with a new policy until a replica holds it, and says so", () => {
    const decision = decideWebhookConfigurations(observe([policy("p", { isLoaded: false })]));
    expect(decision.fail).toBeUndefined();
    expect([...decision.waiting]).toEqual([["p", "WaitingForReplica"]]);
  });

  it("waits for the certificate first", () => {
    const decision = decideWebhookConfigurations(observe([policy("p")], { caBundlePem: undefined }));
    expect(decision.fail).toBeUndefined();
    expect([...decision.waiting]).toEqual([["p", "WaitingForCertificate"]]);
  });

  it("keeps what is published when every replica is gone, but does not widen it", () => {
    const before = decideWebhookConfigurations(observe([policy("a")]));
    const after = decideWebhookConfigurations(
      observe(
        [policy("a", { isLoaded: false }), policy("b", { isLoaded: false, namespaceSelector: team("x") })],
        { published: { Fail: publishedCalls(before.fail), Ignore: new Set() } },
      ),
    );
    expect(after.fail).toEqual(before.fail);
    const narrower = decideWebhookConfigurations(
      observe([policy("b", { isLoaded: false, namespaceSelector: team("x") })], {
        published: { Fail: new Set(), Ignore: new Set() },
      }),
    );
    expect(narrower.fail).toBeUndefined();
  });

  it("groups policies by selector, and drops calls that are made for every object anyway", () => {
    const pods = [{ apiGroups: [""], apiVersions: ["v1"], resources: ["pods"], operations: ["CREATE"] }];
    const { fail } = decideWebhookConfigurations(
      observe([
        policy("everywhere", { resourceRules: pods }),
        policy("x1", { namespaceSelector: team("x") }),
        policy("x2", { namespaceSelector: team("x"), resourceRules: pods }),
      ]),
    );
    expect(fail?.webhooks).toHaveLength(4);
    const selective = fail?.webhooks.filter((entry) => entry.name.includes("selector-")) ?? [];
    expect(
      callsOf(selective.flatMap((entry) => entry.rules)).map((call) => `${call.resource} ${call.operation}`),
    ).not.toContain("pods CREATE");
  });

  it("asks for a condition only of updates: a created object cannot be in deletion", () => {
    const { fail } = decideWebhookConfigurations(observe([policy("p")]));
    for (const { name, rules, matchConditions } of fail?.webhooks ?? []) {
      if (name === "probe.shieldx.io") continue;
      const isOfUpdates = matchConditions !== undefined;
      expect([name, rules.flatMap((rule) => rule.operations)]).toEqual([
        isOfUpdates ? "updates.policies.shieldx.io" : "policies.shieldx.io",
        rules.map(() => (isOfUpdates ? "UPDATE" : "CREATE")),
      ]);
    }
  });

  it("leaves an exempt namespace to the API server, so that an outage does not reach it", () => {
    const { fail } = decideWebhookConfigurations(observe([policy("p", { exemptNamespaces: ["legacy"] })]));
    expect(fail?.webhooks[0]?.namespaceSelector.matchExpressions?.at(-1)?.values).toContain("legacy");
  });

  it("points at URLs when the webhook runs on a host", () => {
    const { fail } = decideWebhookConfigurations(
      observe([policy("p")], {
        address: { kind: "url", admit: "https://127.0.0.1:9443/", probe: "https://127.0.0.1:9444" },
      }),
    );
    expect(fail?.webhooks.map((entry) => entry.clientConfig.url)).toEqual([
      "https://127.0.0.1:9443/admit/policies/fail",
      "https://127.0.0.1:9443/admit/policies/fail",
      "https://127.0.0.1:9444/probe",
    ]);
  });
});

describe("a policy of engine cel that the webhook evaluates", () => {
  const cel = (resourceRules: WebhookPolicy["resourceRules"]) =>
    decideWebhookConfigurations(observe([policy("c", { engine: "cel", resourceRules })])).fail?.webhooks ??
    [];

  it("is called for what its rules name, deletions in an entry that lets a namespace be emptied", () => {
    const entries = cel([
      { apiGroups: [""], apiVersions: ["v1"], resources: ["secrets"], operations: ["*"] },
      {
        apiGroups: ["x.io"],
        apiVersions: ["v1"],
        resources: ["y"],
        operations: ["CREATE"],
        scope: "Cluster",
      },
    ]);
    expect(entries.map(({ name, rules }) => [name, rules])).toEqual([
      [
        "deletions.policies.shieldx.io",
        [
          {
            apiGroups: [""],
            apiVersions: ["v1"],
            resources: ["secrets"],
            operations: ["DELETE"],
            scope: "*",
          },
        ],
      ],
      [
        "policies.shieldx.io",
        [
          {
            apiGroups: [""],
            apiVersions: ["v1"],
            resources: ["secrets"],
            operations: ["CONNECT", "CREATE"],
            scope: "*",
          },
          {
            apiGroups: ["x.io"],
            apiVersions: ["v1"],
            resources: ["y"],
            operations: ["CREATE"],
            scope: "Cluster",
          },
        ],
      ],
      [
        "updates.policies.shieldx.io",
        [
          {
            apiGroups: [""],
            apiVersions: ["v1"],
            resources: ["secrets"],
            operations: ["UPDATE"],
            scope: "*",
          },
        ],
      ],
      ["probe.shieldx.io", [expect.anything()]],
    ]);
    const [ending, cleanup] = entries[0]?.matchConditions ?? [];
    expect(ending?.expression).toContain("deletionTimestamp");
    expect(cleanup?.expression).toContain("namespace-controller");
  });

  it("keeps calls apart by the versions a policy names, so that none changes what another gets to see", () => {
    const rule = (apiVersions: string[]) => ({
      ...{ apiGroups: ["autoscaling"], apiVersions, resources: ["horizontalpodautoscalers"] },
      operations: ["CREATE"],
    });
    const of = (name: string, apiVersions: string[]) =>
      policy(name, { engine: "cel", resourceRules: [rule(apiVersions)] });
    const set = [of("a", ["v1"]), of("b", ["v2"]), of("c", ["v2", "v1"]), of("d", ["v1", "v2"])];
    const entries = decideWebhookConfigurations(observe(set)).fail?.webhooks ?? [];
    const forms = entries
      .filter(({ name }) => name !== "probe.shieldx.io")
      .map(({ rules }) => rules.flatMap(({ apiVersions }) => apiVersions).sort());
    expect(forms.sort((a, b) => a.join().localeCompare(b.join()))).toEqual([["v1"], ["v1", "v2"], ["v2"]]);
    expect(new Set(entries.map(({ name }) => name)).size).toBe(4);
  });

  it("is never called for what brings a cluster back, nor for everything", () => {
    const rule = (apiGroups: string[], resources: string[], operations = ["*"]) => ({
      apiGroups,
      apiVersions: ["v1"],
      resources,
      operations,
    });
    const entries = cel([
      rule(["coordination.k8s.io"], ["leases"]),
      rule([""], ["nodes", "nodes/status", "namespaces/finalize"]),
      rule([""], ["namespaces"], ["DELETE"]),
      rule(["shieldx.io"], ["shieldpolicies", "shieldpolicies/status"]),
      rule(["authorization.k8s.io"], ["selfsubjectrulesreviews", "subjectaccessreviews"]),
      rule(["authentication.k8s.io"], ["tokenreviews"]),
      rule(["*"], ["pods"]),
      rule([""], ["*", "pods/*", "*/scale"]),
    ]);
    expect(entries).toEqual([]);
  });
});

const anyPolicy = fc.record({
  name: fc.constantFrom("a", "b", "c", "d", "e"),
  engine: fc.constant("podSecurity" as const),
  failurePolicy: fc.constantFrom<FailurePolicy>("Fail", "Ignore"),
  resourceRules: fc.option(
    fc.array(
      fc.record({
        apiGroups: fc.subarray(["", "apps", "batch", "coordination.k8s.io", "*"], { minLength: 1 }),
        apiVersions: fc.constant(["v1"]),
        resources: fc.subarray(["pods", "*", "*/*", "pods/*", "deployments", "leases", "nodes"], {
          minLength: 1,
        }),
        operations: fc.subarray(["CREATE", "UPDATE", "DELETE", "*"], { minLength: 1 }),
      }),
      { maxLength: 3 },
    ),
    { nil: undefined },
  ),
  namespaceSelector: fc.option(fc.constantFrom(team("x"), team("y")), { nil: undefined }),
  objectSelector: fc.option(fc.constantFrom(team("o")), { nil: undefined }),
  exemptNamespaces: fc.subarray(["legacy"]),
  isLoaded: fc.boolean(),
});
const policies = fc.uniqueArray(anyPolicy, { selector: (item) => item.name, maxLength: 5 });

describe("any set of policies", () => {
  it("never yields a wildcard, a cluster-scoped rule, DELETE, or a reach into a protected namespace", () => {
    fc.assert(
      fc.property(policies, (set) => {
        const { fail, ignore } = decideWebhookConfigurations(observe(set));
        for (const entry of [...(fail?.webhooks ?? []), ...(ignore?.webhooks ?? [])]) {
          expect(JSON.stringify(entry.rules)).not.toMatch(/"\*|DELETE|CONNECT|leases|nodes/);
          expect(entry.rules.length).toBeGreaterThan(0);
          for (const rule of entry.rules) expect(rule.scope).toBe("Namespaced");
          if (entry.name === "probe.shieldx.io") continue;
          const excluded = entry.namespaceSelector.matchExpressions?.at(-1)?.values ?? [];
          expect(excluded).toEqual(
            expect.arrayContaining(["kube-system", "kube-node-lease", "shieldx-system"]),
          );
          expect(entry.timeoutSeconds).toBeGreaterThanOrEqual(3);
          expect(entry.timeoutSeconds).toBeLessThanOrEqual(5);
        }
      }),
    );
  });

  it("is the same for every order, has unique entry names, and settles at once", () => {
    fc.assert(
      fc.property(policies, (set) => {
        const once = decideWebhookConfigurations(observe(set));
        expect(decideWebhookConfigurations(observe([...set].reverse()))).toEqual(once);
        for (const configuration of [once.fail, once.ignore]) {
          const names = configuration?.webhooks.map((entry) => entry.name) ?? [];
          expect(new Set(names).size).toBe(names.length);
        }
        const published = { Fail: publishedCalls(once.fail), Ignore: publishedCalls(once.ignore) };
        const { fail, ignore } = decideWebhookConfigurations(observe(set, { published }));
        expect({ fail, ignore }).toEqual({ fail: once.fail, ignore: once.ignore });
      }),
    );
  });

  it("never takes back a call because replicas vanish", () => {
    fc.assert(
      fc.property(policies, (set) => {
        const once = decideWebhookConfigurations(observe(set));
        const published = { Fail: publishedCalls(once.fail), Ignore: publishedCalls(once.ignore) };
        const outage = set.map((item) => ({ ...item, isLoaded: false }));
        const later = decideWebhookConfigurations(observe(outage, { published }));
        expect(effective(later.fail)).toEqual(effective(once.fail));
        expect(effective(later.ignore)).toEqual(effective(once.ignore));
      }),
    );
  });
});

function effective(configuration: WebhookConfiguration | undefined): string[] {
  return [...publishedCalls(configuration)].sort();
}

describe("rules", () => {
  it("keep exactly the calls they are made of", () => {
    fc.assert(
      fc.property(fc.subarray(podSecurityCalls(undefined)), (calls) => {
        const key = (list: readonly object[]) => list.map((call) => JSON.stringify(call)).sort();
        const rebuilt = callsOf(rulesOf(calls)).map(({ apiGroup, apiVersion, resource, operation }) => ({
          apiGroup,
          apiVersion,
          resource,
          operation,
        }));
        expect(key(rebuilt)).toEqual(
          key(
            calls.map(({ apiGroup, apiVersion, resource, operation }) => ({
              apiGroup,
              apiVersion,
              resource,
              operation,
            })),
          ),
        );
      }),
    );
  });
});
