import { asShieldPolicy, type NamespacedShieldPolicy, type ShieldPolicy } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { compilePolicy } from "../compile.ts";
import { checkConfined } from "./confinement.ts";

type Rule = { readonly group?: string; readonly resources: string[]; readonly operations?: string[] };

const tenant = (rule: Rule, more: object = {}): ShieldPolicy =>
  asShieldPolicy({
    apiVersion: "shieldx.io/v1alpha1",
    kind: "NamespacedShieldPolicy",
    metadata: { name: "own", namespace: "shop" },
    spec: {
      engine: "cel",
      matchConstraints: {
        resourceRules: [
          {
            apiGroups: [rule.group ?? ""],
            apiVersions: ["v1"],
            operations: rule.operations ?? ["CREATE"],
            resources: rule.resources,
          },
        ],
      },
      validations: [{ expression: "true" }],
      actions: { admission: "deny" },
      ...more,
    },
  } as unknown as NamespacedShieldPolicy);
const configMaps = { resources: ["configmaps"] };

describe("what a tenant's policy may be about", () => {
  it.each([
    ["Secrets, which its messages would show", "", "secrets", /cannot be about secrets, which policies show/],
    ["quotas, by which others restrain him", "", "resourcequotas", /others restrain the namespace by/],
    ["limits", "", "limitranges", /restrain/],
    ["NetworkPolicies", "networking.k8s.io", "networkpolicies", /networkpolicies\.networking\.k8s\.io/],
    ["NetworkPolicies of others", "cilium.io", "ciliumnetworkpolicies", /restrain/],
    ["roles", "rbac.authorization.k8s.io", "rolebindings", /brought back with/],
    ["reports", "openreports.io", "reports", /keep their records with/],
    ["Events", "events.k8s.io", "events", /records/],
    ["our own kinds", "shieldx.io", "namespacedshieldpolicies", /restrain/],
    ["what kubelets write", "", "pods/status", /cluster works by/],
    ["evictions, by which nodes are emptied", "", "pods/eviction", /cluster works by/],
    ["tokens", "", "serviceaccounts/token", /cluster works by/],
    ["everything", "", "*", /takes no \*/],
    ["every group", "*", "pods", /takes no \*/],
    ["every subresource", "", "pods/*", /takes no \*/],
  ])("not %s", (_, group, resource, message) => {
    expect(() => checkConfined(tenant({ group, resources: [resource] }))).toThrow(message);
  });

  it.each([
    ["", "pods"],
    ["", "pods/exec"],
    ["", "services"],
    ["apps", "deployments/scale"],
    ["networking.k8s.io", "ingresses"],
    ["example.com", "widgets/scale"],
  ])("but %s %s", (group, resource) => {
    expect(() => checkConfined(tenant({ group, resources: [resource] }))).not.toThrow();
  });

  it("no more calls than are good for the API server", () => {
    const resources = Array.from({ length: 33 }, (_, at) => `kind${at}s`);
    const operations = ["CREATE", "UPDATE", "DELETE", "CONNECT"];
    expect(() => checkConfined(tenant({ resources, operations }))).toThrow(/come to 132 combinations/);
  });
});

describe("what a tenant's policy may look at", () => {
  it("not Secrets, neither as parameters nor in the inventory", () => {
    const params = {
      paramKind: { apiVersion: "v1", kind: "Secret" },
      paramRef: { name: "s", parameterNotFoundAction: "Allow" },
    };
    expect(() => checkConfined(tenant(configMaps, params))).toThrow(/spec\.paramKind: Secrets/);
    const rego = { module: "package a", inventory: [{ apiVersion: "v1", kind: "Secret" }] };
    expect(() => checkConfined(tenant(configMaps, { engine: "rego", rego }))).toThrow(
      /spec\.rego\.inventory: .* no Secrets/,
    );
  });

  it("not the authorizer, in whatever expression", () => {
    const expression = "authorizer.path('/').check('get').allowed()";
    for (const more of [
      { validations: [{ expression }] },
      { matchConditions: [{ name: "m", expression }] },
      { variables: [{ name: "v", expression }] },
      { validations: [{ expression: "true", messageExpression: `string(${expression})` }] },
    ])
      expect(() => checkConfined(tenant(configMaps, more))).toThrow(/cannot ask the authorizer/);
  });
});

describe("who hands in a policy that is not confined", () => {
  const good = tenant(configMaps);
  it.each<[string, Partial<ShieldPolicy["spec"]>]>([
    [
      "for all namespaces",
      { matchConstraints: { ...good.spec.matchConstraints, namespaceSelector: {} } as never },
    ],
    [
      "for another",
      {
        matchConstraints: {
          ...good.spec.matchConstraints,
          namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "other" } },
        } as never,
      },
    ],
    ["for the API server", { evaluation: "Native" }],
    [
      "with parameters from elsewhere",
      { paramRef: { name: "a", namespace: "other", parameterNotFoundAction: "Allow" } },
    ],
    ["with hosts", { rego: { module: "package a", version: "v1", allowedHosts: ["x"] } }],
  ])("is not believed: %s", (_, spec) => {
    const policy = { ...good, spec: { ...good.spec, ...spec } };
    expect(() => compilePolicy(policy, { serverMinor: 37 })).toThrow(/reaches beyond namespace "shop"/);
  });

  it("leaves policies of the cluster alone", () => {
    const policy = {
      ...good,
      metadata: { name: "own" },
      spec: { ...good.spec, matchConstraints: {} as never },
    };
    expect(() => checkConfined(policy)).not.toThrow();
  });
});
