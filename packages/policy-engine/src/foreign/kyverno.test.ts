import { describe, expect, it } from "vitest";
import { importPolicies } from "./index.ts";
import { inTemplate } from "./kyverno-autogen.ts";

type Fields = Record<string, unknown>;
const pods = {
  resourceRules: [
    { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["pods"] },
  ],
};
const deployments = {
  resourceRules: [
    { apiGroups: ["apps"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["deployments"] },
  ],
};
const policy = (spec: Fields = {}, kind = "ValidatingPolicy", metadata: Fields = {}) => ({
  apiVersion: "policies.kyverno.io/v1",
  kind,
  metadata: { name: "plain", ...metadata },
  spec: {
    matchConstraints: deployments,
    validations: [{ expression: "object.spec.replicas > 1", message: "more than one" }],
    ...spec,
  },
});
const imported = (...objects: unknown[]) => importPolicies({ objects });
const specOf = (result: ReturnType<typeof imported>, at = 0) =>
  result.policies[at]?.written.spec as Fields & { matchConstraints: Fields };

describe("ValidatingPolicies", () => {
  it.each(["v1alpha1", "v1beta1", "v1"])("of %s carry over with Kyverno's defaults", (version) => {
    const result = imported({ ...policy(), apiVersion: `policies.kyverno.io/${version}` });
    expect(result.notes).toEqual([]);
    expect(specOf(result)).toEqual({
      engine: "cel",
      matchConstraints: deployments,
      validations: [{ expression: "object.spec.replicas > 1", message: "more than one" }],
      failurePolicy: "Fail",
      actions: { admission: "deny", background: "audit" },
    });
  });

  it.each<[Fields, Fields]>([
    [{ validationActions: ["Audit"] }, { admission: "audit", background: "audit" }],
    [
      { validationActions: ["Warn"], evaluation: { background: { enabled: false } } },
      { admission: "warn", background: "off" },
    ],
    [{ evaluation: { admission: { enabled: false } } }, { admission: "off", background: "audit" }],
  ])("do what they say: %j", (spec, actions) => {
    expect(specOf(imported(policy(spec))).actions).toEqual(actions);
  });

  it("of a namespace are about that one", () => {
    const result = imported(policy({}, "NamespacedValidatingPolicy", { namespace: "shop" }));
    expect(result.policies[0]?.policy.metadata.name).toBe("shop-plain");
    expect(specOf(result).matchConstraints).toMatchObject({
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "shop" } },
    });
  });

  it("about Pods are about what makes them, too, as Kyverno derives it", () => {
    const spec = {
      matchConstraints: { ...pods, namespaceSelector: { matchLabels: { tier: "prod" } } },
      variables: [
        { name: "all", expression: "object.spec.containers + object.spec.?initContainers.orValue([])" },
      ],
      validations: [
        {
          expression: "variables.all.all(c, !c.image.endsWith(':latest'))",
          message: "object.spec is no path here",
        },
        { expression: "has(object.metadata.labels) && 'app' in object.metadata.labels" },
        { expression: "object.metadata.namespace != 'default'" },
      ],
    };
    const result = imported(policy(spec));
    expect(result.policies.map(({ policy: made }) => made.metadata.name)).toEqual([
      "plain",
      "plain-controllers",
      "plain-cronjobs",
    ]);
    expect(result.notes.every(({ severity }) => severity === "note")).toBe(true);
    expect(specOf(result, 1)).toMatchObject({
      matchConstraints: {
        resourceRules: [
          { apiGroups: ["apps"], resources: ["daemonsets", "deployments", "replicasets", "statefulsets"] },
          { apiGroups: ["batch"], resources: ["jobs"] },
        ],
        namespaceSelector: { matchLabels: { tier: "prod" } },
      },
      variables: [
        {
          name: "all",
          expression:
            "object.spec.template.spec.containers + object.spec.template.spec.?initContainers.orValue([])",
        },
      ],
      validations: [
        { message: "object.spec is no path here" },
        {
          expression:
            "has(object.spec.template.metadata.labels) && 'app' in object.spec.template.metadata.labels",
        },
        { expression: "object.metadata.namespace != 'default'" },
      ],
    });
    expect(specOf(result, 2).variables).toMatchObject([
      { expression: expect.stringContaining("object.spec.jobTemplate.spec.template.spec.containers") },
    ]);
    const some = imported(policy({ ...spec, autogen: { podControllers: { controllers: ["deployments"] } } }));
    expect(some.policies).toHaveLength(2);
    expect(specOf(some, 1).matchConstraints.resourceRules).toMatchObject([{ resources: ["deployments"] }]);
    expect(
      imported(policy({ ...spec, autogen: { podControllers: { controllers: [] } } })).policies,
    ).toHaveLength(1);
    const chosen = { ...spec.matchConstraints, objectSelector: { matchLabels: { a: "b" } } };
    expect(imported(policy({ ...spec, matchConstraints: chosen })).policies).toHaveLength(1);
  });

  it.each<[string, string]>([
    ["http.Get('https://x.invalid').ok", "http is Kyverno's own"],
    ["image(object.spec.image).registry() == 'x'", "image() is Kyverno's own"],
    ["resource.List('v1', 'pods', '').items.size() > 0", "spec.rego.inventory"],
    ["globalContext.Get('x', '').size() > 0", "spec.paramKind"],
    ["json.unmarshal(object.data.x).a == 1", "json is Kyverno's own"],
    ["images.containers.all(i, i != '')", "object.spec.containers"],
  ])("that call what only Kyverno has are named: %s", (expression, told) => {
    const { policies, notes } = imported(policy({ validations: [{ expression }] }));
    expect(policies).toEqual([]);
    expect(notes).toMatchObject([
      { severity: "error", path: "spec.validations[0].expression", message: expect.stringContaining(told) },
    ]);
  });

  it("about JSON payloads, and changes to other objects, stay in Kyverno", () => {
    expect(imported(policy({ evaluation: { mode: "JSON" } }))).toMatchObject({
      policies: [],
      notes: [{ severity: "error", path: "spec.evaluation.mode" }],
    });
    const targets = policy({ targetMatchConstraints: deployments, validations: undefined }, "MutatingPolicy");
    expect(imported(targets).notes[0]).toMatchObject({
      severity: "error",
      path: "spec.targetMatchConstraints",
    });
  });

  it("that look at who asks judge requests only", () => {
    const { policies, notes } = imported(
      policy({ validations: [{ expression: "request.userInfo.username != 'x'" }] }),
    );
    expect(policies[0]?.policy.spec.actions.background).toBe("off");
    expect(notes).toMatchObject([{ severity: "lost", path: "spec.evaluation.background" }]);
  });

  it("of other kinds are left", () => {
    const other = { apiVersion: "policies.kyverno.io/v1", kind: "GeneratingPolicy", metadata: { name: "g" } };
    expect(imported(other).left).toMatchObject([{ kind: "GeneratingPolicy" }]);
  });
});

describe("MutatingPolicies", () => {
  const merge = (expression: string) => ({
    patchType: "ApplyConfiguration",
    applyConfiguration: { expression },
  });
  const mutating = (mutations: Fields[]) =>
    policy({ matchConstraints: pods, validations: undefined, mutations }, "MutatingPolicy");

  it("change templates where they change Pods", () => {
    const expression =
      "Object{spec: Object.spec{hostNetwork: false}, metadata: Object.metadata{labels: {'a': object.spec.nodeName}}}";
    const result = imported(mutating([merge(expression)]));
    expect(result.policies).toHaveLength(3);
    expect(specOf(result, 1).mutations).toEqual([
      merge(
        "Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{hostNetwork: false}, metadata: Object.spec.template.metadata{labels: {'a': object.spec.template.spec.nodeName}}}}}",
      ),
    ]);
  });

  it("by JSONPatch are about Pods only, and say so", () => {
    const patch = {
      patchType: "JSONPatch",
      jsonPatch: { expression: "[JSONPatch{op: 'remove', path: '/spec/hostPID'}]" },
    };
    const result = imported(mutating([patch]));
    expect(result.policies).toHaveLength(1);
    expect(result.notes).toMatchObject([
      { severity: "lost", path: "spec.mutations" },
      { severity: "lost", path: "spec.mutations" },
    ]);
  });
});

describe("an expression about a Pod, about a template", () => {
  const path = ["spec", "template"];
  it.each([
    ["object.spec.x", "object.spec.template.spec.x"],
    ["oldObject.spec.x != object.spec.x", "oldObject.spec.template.spec.x != object.spec.template.spec.x"],
    ["object.?spec.?x.orValue(1)", "object.?spec.template.spec.?x.orValue(1)"],
    ["variables.object.spec == 'object.spec'", "variables.object.spec == 'object.spec'"],
    [
      "object.metadata.annotations['object.spec']",
      "object.spec.template.metadata.annotations['object.spec']",
    ],
    ["object.metadata.name // object.spec\n", "object.metadata.name // object.spec\n"],
    ["object.specific", "object.specific"],
    [
      "has(object.spec) ? Object{} : Object{spec: Object.spec{}}",
      "has(object.spec.template.spec) ? Object{spec: Object.spec{template: Object.spec.template{}}} : Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{}}}}",
    ],
    ["object.spec =", "object.spec.template.spec ="],
  ])("%s", (before, after) => {
    expect(inTemplate(before, { path })).toBe(after);
  });
});
