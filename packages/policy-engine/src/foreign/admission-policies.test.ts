import { describe, expect, it } from "vitest";
import { importPolicies } from "./index.ts";

type Fields = Record<string, unknown>;
const group = "admissionregistration.k8s.io/v1";
const rule = (resources: string[], more: Fields = {}) => ({
  apiGroups: ["apps"],
  apiVersions: ["v1"],
  operations: ["CREATE", "UPDATE"],
  resources,
  ...more,
});
const policy = (spec: Fields = {}, kind = "ValidatingAdmissionPolicy", name = "few") => ({
  apiVersion: group,
  kind,
  metadata: { name },
  spec: {
    matchConstraints: { resourceRules: [rule(["deployments", "statefulsets"])] },
    validations: [{ expression: "object.spec.replicas <= 5", message: " at most five\n" }],
    ...spec,
  },
});
const binding = (spec: Fields = {}, name = "few-everywhere", kind = "ValidatingAdmissionPolicyBinding") => ({
  apiVersion: group,
  kind,
  metadata: { name },
  spec: { policyName: "few", validationActions: ["Deny"], ...spec },
});
const imported = (...objects: unknown[]) => importPolicies({ objects });
const specOf = (result: ReturnType<typeof imported>, at = 0) =>
  result.policies[at]?.written.spec as Fields & { matchConstraints: Fields };

describe("ValidatingAdmissionPolicies", () => {
  it("carry over with their binding, word for word", () => {
    const variables = [{ name: "most", expression: "5" }];
    const conditions = [{ name: "named", expression: "has(object.metadata.name)" }];
    const result = imported(policy({ variables, matchConditions: conditions }), binding());
    expect(result).toMatchObject({ notes: [], left: [] });
    expect(result.policies).toHaveLength(1);
    expect(result.policies[0]).toMatchObject({
      from: [{ name: "few" }, { name: "few-everywhere" }],
      policy: { metadata: { name: "few" }, spec: { evaluation: "Auto" } },
      written: {
        apiVersion: "shieldx.io/v1alpha1",
        kind: "ShieldPolicy",
        metadata: { name: "few" },
        spec: {
          engine: "cel",
          matchConstraints: { resourceRules: [rule(["deployments", "statefulsets"])] },
          matchConditions: conditions,
          variables,
          validations: [{ expression: "object.spec.replicas <= 5", message: "at most five" }],
          failurePolicy: "Fail",
          actions: { admission: "deny" },
        },
      },
    });
  });

  it("become a policy for each binding, named after it, with its action and failurePolicy", () => {
    const result = imported(
      policy({ failurePolicy: "Ignore" }),
      binding(),
      binding({ validationActions: ["Warn", "Audit"] }, "few-warned"),
      binding({ validationActions: ["Audit"] }, "few-noted"),
    );
    expect(
      result.policies.map(({ policy: made }) => [made.metadata.name, made.spec.actions.admission]),
    ).toEqual([
      ["few-everywhere", "deny"],
      ["few-warned", "warn"],
      ["few-noted", "audit"],
    ]);
    expect(result.policies.every(({ policy: made }) => made.spec.failurePolicy === "Ignore")).toBe(true);
    expect(result.notes).toMatchObject([
      { source: { name: "few-warned" }, severity: "lost", path: "spec.validationActions" },
    ]);
  });

  it("are narrowed by the binding's resources and selectors", () => {
    const matchResources = {
      resourceRules: [
        rule(["deployments", "daemonsets"], { apiGroups: ["*"], operations: ["UPDATE", "DELETE"] }),
      ],
      excludeResourceRules: [rule(["deployments"], { resourceNames: ["web"] })],
      namespaceSelector: { matchLabels: { tier: "prod", team: "b" } },
      objectSelector: { matchExpressions: [{ key: "app", operator: "Exists" }] },
    };
    const constraints = {
      resourceRules: [rule(["deployments", "statefulsets"])],
      namespaceSelector: { matchLabels: { team: "a" } },
      matchPolicy: "Equivalent",
    };
    const result = imported(policy({ matchConstraints: constraints }), binding({ matchResources }));
    expect(result.notes).toEqual([]);
    expect(specOf(result).matchConstraints).toEqual({
      matchPolicy: "Equivalent",
      resourceRules: [rule(["deployments"], { operations: ["UPDATE"] })],
      excludeResourceRules: matchResources.excludeResourceRules,
      namespaceSelector: {
        matchLabels: { team: "a", tier: "prod" },
        matchExpressions: [{ key: "team", operator: "In", values: ["b"] }],
      },
      objectSelector: matchResources.objectSelector,
    });
  });

  it.each<[string, string[], string[], string[] | undefined]>([
    ["all of a resource", ["*"], ["deployments"], ["deployments"]],
    ["a subresource", ["*/scale"], ["deployments/*"], ["deployments/scale"]],
    ["everything", ["*/*"], ["deployments", "deployments/scale"], ["deployments", "deployments/scale"]],
    ["nothing of subresources", ["*"], ["deployments/scale"], undefined],
    ["other resources", ["statefulsets"], ["deployments"], undefined],
  ])("know what two rules have in common: %s", (_, ofPolicy, ofBinding, expected) => {
    const result = imported(
      policy({ matchConstraints: { resourceRules: [rule(ofPolicy)] } }),
      binding({ matchResources: { resourceRules: [rule(ofBinding)] } }),
    );
    if (expected === undefined) {
      expect(result.policies).toEqual([]);
      expect(result.notes).toMatchObject([{ severity: "error", path: "spec.matchResources.resourceRules" }]);
    } else expect(specOf(result).matchConstraints.resourceRules).toEqual([rule(expected)]);
  });

  it("take their parameters along, and find them in the load", () => {
    const paramKind = { apiVersion: "v1", kind: "ConfigMap" };
    const limits = { ...paramKind, metadata: { name: "limits", namespace: "shop" }, data: { most: "5" } };
    const validations = [{ expression: "object.spec.replicas <= int(params.data.most)" }];
    const paramRef = { name: "limits", parameterNotFoundAction: "Deny" };
    const other = { ...limits, metadata: { name: "other" } };
    const result = imported(policy({ paramKind, validations }), limits, other, binding({ paramRef }));
    expect(specOf(result)).toMatchObject({ paramKind, paramRef });
    expect(result.policies[0]?.params).toEqual([limits]);
    const without = imported(policy({ paramKind, validations }), binding());
    expect(without.policies).toEqual([]);
    expect(without.notes).toMatchObject([{ severity: "error", path: "spec.paramRef" }]);
  });

  it("without a binding do nothing, and say so", () => {
    const result = imported(policy());
    expect(specOf(result)).toMatchObject({ actions: { admission: "off" } });
    expect(result.notes).toMatchObject([{ severity: "note", path: "" }]);
  });

  it.each<[string, unknown[], string, string]>([
    ["a policy that is not given", [binding()], "spec.policyName", 'no ValidatingAdmissionPolicy "few"'],
    [
      "an unknown action",
      [policy(), binding({ validationActions: ["Shout"] })],
      "spec.validationActions",
      "Shout",
    ],
    [
      "a list that is none",
      [policy({ validations: { a: 1 } }), binding()],
      "spec.validations",
      "list of objects",
    ],
    [
      "an expression that does not compile",
      [policy({ validations: [{ expression: "object.spec.replicas <=" }] }), binding()],
      "spec.validations[0].expression",
      "",
    ],
    [
      "a rule that no ShieldPolicy has",
      [policy({ matchConstraints: {} }), binding()],
      "spec.matchConstraints",
      "resourceRules",
    ],
  ])("are refused with the field: %s", (_, objects, path, message) => {
    const { policies, notes } = imported(...objects);
    expect(policies).toEqual([]);
    expect(notes).toMatchObject([{ severity: "error", path, message: expect.stringContaining(message) }]);
  });

  it("that a product rendered of its own policy are left out, with their bindings", () => {
    const rendered = (object: ReturnType<typeof policy> | ReturnType<typeof binding>, metadata: Fields) => ({
      ...object,
      metadata: { ...object.metadata, ...metadata },
    });
    const labels = { "app.kubernetes.io/managed-by": "shieldx-operator" };
    const ownerReferences = [
      { apiVersion: "templates.gatekeeper.sh/v1", kind: "ConstraintTemplate", name: "t" },
    ];
    for (const metadata of [{ labels }, { ownerReferences }]) {
      const { policies, notes } = imported(rendered(policy(), metadata), rendered(binding(), metadata));
      expect(policies).toEqual([]);
      expect(notes).toMatchObject([{ severity: "note" }, { severity: "note" }]);
    }
  });

  it("say which fields are not known here", () => {
    const { policies, notes } = imported(policy({ quota: 3 }), binding());
    expect(policies).toHaveLength(1);
    expect(notes).toMatchObject([{ severity: "lost", path: "spec.quota" }]);
  });

  it("have names that fit, however long and odd theirs are", () => {
    const name = `a.policy.${"x".repeat(100)}`;
    const { policies } = imported(policy({}, undefined, name), binding({ policyName: name }));
    expect(policies[0]?.policy.metadata.name).toMatch(/^a-policy-x+-[0-9a-f]{10}$/);
    expect(policies[0]?.policy.metadata.name).toHaveLength(63);
  });
});

describe("MutatingAdmissionPolicies", () => {
  const mutations = [
    {
      patchType: "ApplyConfiguration",
      applyConfiguration: { expression: "Object{metadata: Object.metadata{labels: {'team': 'none'}}}" },
    },
  ];
  it("carry over with their binding", () => {
    const mutating = policy(
      { mutations, validations: undefined, reinvocationPolicy: "Never" },
      "MutatingAdmissionPolicy",
    );
    const result = imported(
      mutating,
      binding({ validationActions: undefined }, "b", "MutatingAdmissionPolicyBinding"),
    );
    expect(result.notes).toEqual([]);
    expect(specOf(result)).toMatchObject({
      mutations,
      reinvocationPolicy: "Never",
      failurePolicy: "Fail",
      actions: { admission: "deny" },
    });
  });
});

it("objects of nobody are left, and never trouble", () => {
  const own = JSON.parse(
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"__proto__":{"x":1}}',
  );
  const { policies, notes, left } = imported(own, null, "text", [1], { apiVersion: 3 });
  expect({ policies, notes }).toEqual({ policies: [], notes: [] });
  expect(left).toEqual([{ apiVersion: "v1", kind: "ConfigMap", name: "a" }]);
});
