import { describe, expect, it } from "vitest";
import { parseNamespacedShieldPolicy } from "../parse.ts";
import { shieldPolicySchema } from "../shieldpolicy/schema.ts";
import { asShieldPolicy } from "./as-shield-policy.ts";
import { namespaceOfPolicy, policyTitle, tenantPolicyName } from "./policy-name.ts";
import type { NamespacedShieldPolicy } from "./schema.ts";

const rules = (more: object = {}) => [
  { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"], ...more },
];
const policy = (spec: object, namespace = "shop"): NamespacedShieldPolicy =>
  parseNamespacedShieldPolicy(
    {
      apiVersion: "shieldx.io/v1alpha1",
      kind: "NamespacedShieldPolicy",
      metadata: { name: "own", namespace, uid: "u", generation: 3 },
      spec,
    },
    { unknownFields: "drop" },
  );
const cel = (more: object = {}) => ({
  engine: "cel",
  matchConstraints: { resourceRules: rules() },
  validations: [{ expression: "true" }],
  actions: { admission: "deny" },
  ...more,
});

describe("a tenant's policy as a ShieldPolicy", () => {
  it("is called by namespace and name, keeps its identity, and is about its namespace only", () => {
    const made = asShieldPolicy(policy(cel()));
    expect(made.metadata).toEqual({ name: "shop/own", uid: "u", generation: 3 });
    expect(made.spec.matchConstraints?.namespaceSelector).toEqual({
      matchLabels: { "kubernetes.io/metadata.name": "shop" },
    });
    expect(made.spec.matchConstraints?.resourceRules).toEqual(rules({ scope: "Namespaced" }));
    expect(made.spec.evaluation).toBe("Webhook");
    expect(shieldPolicySchema.shape.spec.safeParse(made.spec).error).toBeUndefined();
  });

  it("takes parameters from its namespace, whatever a stored object says", () => {
    const params = { paramKind: { apiVersion: "v1", kind: "ConfigMap" } };
    const paramRef = { name: "limits", namespace: "other", parameterNotFoundAction: "Deny" };
    const { spec } = asShieldPolicy(policy(cel({ ...params, paramRef })));
    expect(spec.paramRef).toEqual({ name: "limits", namespace: "shop", parameterNotFoundAction: "Deny" });
  });

  it("takes over nothing that a tenant may not say", () => {
    const written = policy(cel());
    const stored = {
      ...written,
      spec: {
        ...written.spec,
        rego: { module: "package a", bundle: { url: "https://x" }, allowedHosts: ["x"], version: "v1" },
        evaluation: "Native",
        exceptions: { namespaces: { selector: {} } },
        mutations: [{ name: "m" }],
        auditAnnotations: [{ key: "k", valueExpression: "'v'" }],
        rollout: {},
        generate: [],
        matchConstraints: { ...written.spec.matchConstraints, namespaceSelector: {} },
        actions: { admission: "deny", http: "serve" },
      },
    } as unknown as NamespacedShieldPolicy;
    const { spec } = asShieldPolicy(stored);
    expect(Object.keys(spec).sort()).toEqual([
      "actions",
      "engine",
      "evaluation",
      "matchConstraints",
      "rego",
      "validations",
    ]);
    expect(spec.rego).toEqual({ module: "package a", version: "v1" });
    expect(spec.actions).toEqual({ admission: "deny" });
    expect(spec.matchConstraints?.namespaceSelector?.matchLabels).toEqual({
      "kubernetes.io/metadata.name": "shop",
    });
  });

  it("is the same object for the same one, so that nothing is compiled again", () => {
    const one = policy(cel());
    expect(asShieldPolicy(one)).toBe(asShieldPolicy(one));
  });
});

describe("names of policies", () => {
  it("tell tenants' from the cluster's", () => {
    expect(namespaceOfPolicy(tenantPolicyName("shop", "own"))).toBe("shop");
    expect(namespaceOfPolicy("shop.own")).toBeUndefined();
    expect(policyTitle("shop/own")).toBe('NamespacedShieldPolicy "shop/own"');
    expect(policyTitle("own")).toBe('ShieldPolicy "own"');
  });
});
