import { FAIL_CONFIGURATION, KINDS_CONFIGURATION } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import {
  decideWebhookConfigurations,
  isPublished,
  publishedCalls,
  type WebhookConfiguration,
  type WebhookObservation,
  type WebhookPolicy,
} from "./decide.ts";
import { publishedForTenants } from "./tenants.ts";

const rule = (resources: string[], operations = ["CREATE"]) => [
  { apiGroups: [""], apiVersions: ["v1"], operations, resources, scope: "Namespaced" },
];
const tenant = (namespace: string, more: Partial<WebhookPolicy> = {}): WebhookPolicy => ({
  name: `${namespace}/own`,
  tenant: namespace,
  engine: "cel",
  failurePolicy: "Fail",
  resourceRules: rule(["configmaps"]),
  namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
  objectSelector: undefined,
  exemptNamespaces: [],
  isLoaded: true,
  ...more,
});
const observe = (
  policies: readonly WebhookPolicy[],
  more: Partial<WebhookObservation> = {},
): WebhookObservation => ({
  namespace: "shieldx-system",
  ownNamespaces: ["shieldx-system"],
  address: { kind: "service", namespace: "shieldx-system" },
  caBundlePem: "PEM",
  policies,
  published: { Fail: new Set(), Ignore: new Set() },
  publishedForTenants: { Fail: new Set(), Ignore: new Set() },
  held: { Fail: [], Ignore: [] },
  ...more,
});
const entriesOf = (configuration: WebhookConfiguration | undefined) =>
  (configuration?.webhooks ?? [])
    .filter(({ name }) => name.includes("tenants-"))
    .map(({ namespaceSelector, rules }) => ({
      namespaces: namespaceSelector.matchExpressions?.[0]?.values,
      resources: rules.flatMap(({ resources }) => resources),
    }));
const decide = (policies: readonly WebhookPolicy[], more: Partial<WebhookObservation> = {}) =>
  decideWebhookConfigurations(observe(policies, more));

describe("calls for policies of tenants", () => {
  it("are made in each namespace for what is asked for there, and for nothing else", () => {
    const { fail } = decide([
      tenant("a"),
      tenant("b", { resourceRules: rule(["pods", "configmaps"]) }),
      tenant("c", { resourceRules: rule(["services"]) }),
    ]);
    expect(fail?.metadata.name).toBe(FAIL_CONFIGURATION);
    const made = entriesOf(fail).flatMap(({ namespaces = [], resources }) =>
      namespaces.flatMap((namespace) => resources.map((resource) => `${namespace} ${resource}`)),
    );
    expect(made.sort()).toEqual(["a configmaps", "b configmaps", "b pods", "c services"]);
  });

  it("share an entry where namespaces ask for the same, however many there are", () => {
    const { fail } = decide(Array.from({ length: 500 }, (_, at) => tenant(`n${at}`)));
    expect(entriesOf(fail)).toHaveLength(1);
    expect(entriesOf(fail)[0]?.namespaces).toHaveLength(500);
  });

  it("are kept apart by failurePolicy, so that nobody's outage is another's", () => {
    const { fail, ignore } = decide([tenant("a"), tenant("b", { failurePolicy: "Ignore" })]);
    expect(entriesOf(fail)).toMatchObject([{ namespaces: ["a"] }]);
    expect(entriesOf(ignore)).toMatchObject([{ namespaces: ["b"] }]);
  });

  it("are never made where the cluster is brought back from", () => {
    const namespaces = ["kube-system", "kube-node-lease", "shieldx-system"];
    expect(decide(namespaces.map((name) => tenant(name))).fail).toBeUndefined();
  });

  it("do not hold up what the cluster's components change and delete", () => {
    const { fail } = decide([
      tenant("a", { resourceRules: rule(["configmaps"], ["CREATE", "UPDATE", "DELETE"]) }),
    ]);
    const conditions = new Map(
      fail?.webhooks.map(({ name, matchConditions = [] }) => [
        name.split(".")[0],
        matchConditions.map((condition) => condition.name),
      ]),
    );
    expect(conditions.get("updates")).toEqual(["not-being-deleted", "not-by-cluster-component"]);
    expect(conditions.get("deletions")).toEqual([
      "not-being-deleted",
      "not-namespace-cleanup",
      "not-by-cluster-component",
    ]);
  });

  it("begin once a replica holds the policy, and go on while none does", () => {
    const unloaded = tenant("a", { isLoaded: false });
    const { fail, waiting } = decide([unloaded]);
    expect(fail).toBeUndefined();
    expect(waiting.get("a/own")).toBe("WaitingForReplica");
    const before = decide([tenant("a")]).fail;
    const publishedNow = { Fail: publishedForTenants(before), Ignore: new Set<string>() };
    const kept = decide([unloaded], { publishedForTenants: publishedNow });
    expect(entriesOf(kept.fail)).toEqual(entriesOf(before));
    expect(kept.waiting.size).toBe(0);
    // What another namespace is called for is nothing to this one.
    const other = decide([tenant("b", { isLoaded: false })], { publishedForTenants: publishedNow });
    expect(entriesOf(other.fail)).toEqual([]);
  });

  it("are not taken back while a policy cannot be read", () => {
    const before = decide([tenant("a")]).fail;
    const held = { Fail: before?.webhooks ?? [], Ignore: [] };
    expect(entriesOf(decide([], { held }).fail)).toEqual(entriesOf(before));
  });

  it("are left to the entry for all objects where there is one", () => {
    const all: WebhookPolicy = {
      ...tenant("a"),
      name: "all",
      namespaceSelector: undefined,
    };
    const { tenant: _none, ...ofCluster } = all;
    const { fail } = decide([tenant("a"), ofCluster]);
    expect(entriesOf(fail)).toEqual([]);
    expect(isPublished(tenant("a"), fail, ["shieldx-system"])).toBe(true);
    expect(publishedCalls(fail).size).toBe(1);
  });

  it("count as published where they are made, and only there", () => {
    const { fail } = decide([tenant("a")]);
    expect(isPublished(tenant("a"), fail, ["shieldx-system"])).toBe(true);
    expect(isPublished(tenant("b"), fail, ["shieldx-system"])).toBe(false);
    expect(isPublished(tenant("a", { resourceRules: rule(["pods"]) }), fail, ["shieldx-system"])).toBe(false);
  });

  it("have nothing to do with entries of other shapes", () => {
    const selectors = [undefined, {}, { matchLabels: { a: "b" }, matchExpressions: [] }];
    for (const namespaceSelector of selectors)
      expect(
        publishedForTenants({
          webhooks: [
            {
              name: KINDS_CONFIGURATION,
              ...(namespaceSelector && { namespaceSelector }),
              rules: rule(["pods"]),
            },
          ],
        }).size,
      ).toBe(0);
  });
});
