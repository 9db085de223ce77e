import { describe, expect, it } from "vitest";
import { importPolicies } from "./index.ts";

type Fields = Record<string, unknown>;

const module = `package k8srequiredlabels

import data.lib.names

violation[{"msg": msg}] {
  wanted := input.parameters.labels[_]
  not input.review.object.metadata.labels[wanted]
  msg := sprintf("label it with %v", [names.quoted(wanted)])
}
`;
const lib = `package lib.names

quoted(name) = sprintf("<%v>", [name])
`;
const template = (target: Fields = { rego: module, libs: [lib] }, more: Fields = {}) => ({
  apiVersion: "templates.gatekeeper.sh/v1",
  kind: "ConstraintTemplate",
  metadata: { name: "k8srequiredlabels", ...(more.metadata as Fields) },
  spec: {
    crd: { spec: { names: { kind: "K8sRequiredLabels" }, ...(more.crd as Fields) } },
    targets: [{ target: "admission.k8s.gatekeeper.sh", ...target }],
  },
});
const constraint = (spec: Fields = {}, name = "owned") => ({
  apiVersion: "constraints.gatekeeper.sh/v1beta1",
  kind: "K8sRequiredLabels",
  metadata: { name },
  spec: {
    match: { kinds: [{ apiGroups: [""], kinds: ["Service", "Pod"] }] },
    parameters: { labels: ["owner"] },
    ...spec,
  },
});
const matching = (match: Fields) =>
  constraint({ match: { kinds: [{ apiGroups: [""], kinds: ["Service"] }], ...match } });
const imported = (...objects: unknown[]) => importPolicies({ objects });
const specOf = (result: ReturnType<typeof imported>, at = 0) =>
  result.policies[at]?.written.spec as Fields & { matchConstraints: Fields; rego: Fields };

describe("templates in Rego", () => {
  it("become a policy for each constraint, with its parameters and libs", () => {
    const result = imported(template(), constraint(), constraint({ enforcementAction: "warn" }, "warned"));
    expect(result.notes).toEqual([]);
    expect(result.policies.map(({ from }) => from.map(({ name }) => name))).toEqual([
      ["k8srequiredlabels", "owned"],
      ["k8srequiredlabels", "warned"],
    ]);
    expect(specOf(result)).toEqual({
      engine: "rego",
      matchConstraints: {
        resourceRules: [
          {
            apiGroups: [""],
            apiVersions: ["*"],
            operations: ["CREATE", "UPDATE"],
            resources: ["services", "pods", "pods/ephemeralcontainers"],
          },
        ],
      },
      rego: {
        version: "v0",
        entrypoint: "data.k8srequiredlabels.shieldx_violation",
        module: expect.stringContaining(
          'with input as {"review": input.review, "parameters": {"labels":["owner"]}}',
        ),
        libs: [lib],
      },
      actions: { admission: "deny", background: "audit" },
    });
    expect(specOf(result, 1).actions).toEqual({ admission: "warn", background: "audit" });
  });

  it("have the newer form of a rule where the module asks for it", () => {
    const modern = 'package p\n\nimport rego.v1\n\nviolation contains {"msg": "no"} if true\n';
    const of = (target: Fields) => specOf(imported(template(target), constraint())).rego;
    expect(of({ rego: modern })).toMatchObject({
      version: "v0",
      module: expect.stringContaining("shieldx_violation contains result if {"),
    });
    const source = { rego: modern, version: "v1" };
    expect(of({ code: [{ engine: "Rego", source }] })).toMatchObject({ version: "v1" });
  });

  it("see the old object of a deletion as the object, as in Gatekeeper", () => {
    const { rego, matchConstraints } = specOf(
      imported(template({ rego: module, operations: ["DELETE"] }), constraint()),
    );
    expect(rego.module).toContain('{"review": shieldx_review, ');
    expect(matchConstraints.resourceRules).toMatchObject([{ operations: ["DELETE"] }]);
  });

  it("take the defaults of their schema", () => {
    const openAPIV3Schema = {
      type: "object",
      properties: {
        labels: { type: "array", items: { type: "object", properties: { key: { default: "owner" } } } },
        message: { type: "string", default: "no" },
      },
    };
    const parameters = { labels: [{}, { key: "team" }] };
    const { rego } = specOf(
      imported(template(undefined, { crd: { validation: { openAPIV3Schema } } }), constraint({ parameters })),
    );
    expect(rego.module).toContain('{"labels":[{"key":"owner"},{"key":"team"}],"message":"no"}');
  });

  it.each<[string, Fields, Fields]>([
    [
      "namespaces",
      { namespaces: ["shop", "bakery"], excludedNamespaces: ["test"] },
      {
        namespaceSelector: {
          matchExpressions: [
            { key: "kubernetes.io/metadata.name", operator: "In", values: ["shop", "bakery"] },
            { key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["test"] },
          ],
        },
      },
    ],
    [
      "selectors",
      { labelSelector: { matchLabels: { a: "b" } }, namespaceSelector: { matchLabels: { c: "d" } } },
      {
        objectSelector: { matchLabels: { a: "b" } },
        namespaceSelector: { matchLabels: { c: "d" } },
      },
    ],
  ])("carry %s over as selectors", (_, match, expected) => {
    const result = imported(template(), matching(match));
    expect(result.notes).toEqual([]);
    expect(specOf(result).matchConstraints).toMatchObject(expected);
  });

  it("carry globs and names over as conditions", () => {
    const match = {
      namespaces: ["shop", "team-*"],
      excludedNamespaces: ["*-test", "kube-system"],
      name: "web*",
      scope: "Namespaced",
    };
    const spec = specOf(imported(template(), matching(match)));
    expect(spec.matchConditions).toEqual([
      {
        name: "gatekeeper-namespaces",
        expression:
          "!has(request.namespace) || request.namespace == '' || request.namespace == 'shop' || request.namespace.startsWith('team-')",
      },
      {
        name: "gatekeeper-excluded-namespaces",
        expression:
          "!has(request.namespace) || request.namespace == '' || !(request.namespace.endsWith('-test'))",
      },
      {
        name: "gatekeeper-name",
        expression:
          "[object, oldObject].exists(o, o != null && (has(o.metadata.name) && o.metadata.name.startsWith('web') || has(o.metadata.generateName) && o.metadata.generateName.startsWith('web')))",
      },
    ]);
    expect(spec.matchConstraints).toMatchObject({
      resourceRules: [{ scope: "Namespaced" }],
      namespaceSelector: { matchExpressions: [{ operator: "NotIn", values: ["kube-system"] }] },
    });
  });

  it("leave out the namespaces that a Config leaves out", () => {
    const config = {
      apiVersion: "config.gatekeeper.sh/v1alpha1",
      kind: "Config",
      metadata: { name: "config", namespace: "gatekeeper-system" },
      spec: { match: [{ processes: ["*"], excludedNamespaces: ["gatekeeper-system"] }] },
    };
    expect(specOf(imported(template(), constraint(), config)).matchConstraints).toMatchObject({
      namespaceSelector: { matchExpressions: [{ operator: "NotIn", values: ["gatekeeper-system"] }] },
    });
  });

  it("name kinds where Gatekeeper takes any, and say which are left out", () => {
    const widest = imported(template(), constraint({ match: {} }));
    expect(widest.notes).toMatchObject([{ severity: "lost", path: "spec.match.kinds" }]);
    const rules = specOf(widest).matchConstraints.resourceRules as {
      apiGroups: string[];
      resources: string[];
    }[];
    expect(rules.flatMap(({ resources }) => resources)).toEqual(
      expect.arrayContaining(["deployments", "ingresses"]),
    );
    expect(rules.flatMap(({ apiGroups }) => apiGroups)).not.toContain("rbac.authorization.k8s.io");
    const roles = { match: { kinds: [{ apiGroups: ["rbac.authorization.k8s.io"], kinds: ["Role"] }] } };
    expect(imported(template(), constraint(roles))).toMatchObject({
      policies: [],
      notes: [{ severity: "lost" }, { severity: "error", path: "spec.match.kinds" }],
    });
    const anyGroup = imported(
      template(),
      constraint({ match: { kinds: [{ apiGroups: ["*"], kinds: ["Deployment", "Goose"] }] } }),
    );
    expect(specOf(anyGroup).matchConstraints.resourceRules).toMatchObject([
      { apiGroups: ["apps"], resources: ["deployments"] },
    ]);
    expect(anyGroup.notes).toMatchObject([{ message: expect.stringContaining("Goose") }]);
  });

  it("tell when the resource of a kind is a guess, and where a selector is wrong", () => {
    const geese = imported(
      template(),
      constraint({ match: { kinds: [{ apiGroups: ["x.io"], kinds: ["Goose"] }] } }),
    );
    expect(geese.notes).toMatchObject([{ severity: "note", message: expect.stringContaining("gooses") }]);
    const wrong = imported(template(), matching({ labelSelector: { matchLabels: { a: "b c" } } }));
    expect(wrong).toMatchObject({
      policies: [],
      notes: [{ source: { name: "owned" }, severity: "error", path: "spec.match" }],
    });
  });

  it("know resources of kinds by their definitions", () => {
    const definition = {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "geese.x.io" },
      spec: { group: "x.io", scope: "Namespaced", names: { kind: "Goose", plural: "geese" } },
    };
    const match = { kinds: [{ apiGroups: ["x.io"], kinds: ["Goose"] }] };
    expect(specOf(imported(template(), constraint({ match }), definition)).matchConstraints).toMatchObject({
      resourceRules: [{ apiGroups: ["x.io"], resources: ["geese"] }],
    });
  });

  it("list the kinds they look at: as they say, as the code says, or as Gatekeeper is told to sync", () => {
    const looking = 'package p\n\nviolation[{"msg": "no"}] { data.inventory.namespace[_][_][_][_] }\n';
    const annotations = {
      "metadata.gatekeeper.sh/requires-sync-data":
        '"[[{"groups": ["extensions"], "versions": ["v1beta1"], "kinds": ["Ingress"]}, {"groups": ["networking.k8s.io"], "versions": ["v1"], "kinds": ["Ingress"]}]]"\n',
    };
    const said = imported(template({ rego: looking }, { metadata: { annotations } }), constraint());
    expect(specOf(said).rego.inventory).toEqual([{ apiVersion: "networking.k8s.io/v1", kind: "Ingress" }]);
    expect(said.notes).toMatchObject([
      { severity: "note", message: expect.stringContaining("rbac.inventoryKinds") },
    ]);
    const written = 'package p\n\nviolation[{"msg": "no"}] { data.inventory.cluster["v1"].Namespace[_] }\n';
    expect(specOf(imported(template({ rego: written }), constraint())).rego.inventory).toEqual([
      { apiVersion: "v1", kind: "Namespace" },
    ]);
    const syncSet = {
      apiVersion: "syncset.gatekeeper.sh/v1alpha1",
      kind: "SyncSet",
      metadata: { name: "s" },
      spec: { gvks: [{ group: "", version: "v1", kind: "Pod" }] },
    };
    expect(specOf(imported(template({ rego: looking }), constraint(), syncSet)).rego.inventory).toEqual([
      { apiVersion: "v1", kind: "Pod" },
    ]);
    expect(imported(template({ rego: looking }), constraint())).toMatchObject({
      policies: [],
      notes: [
        { severity: "error", path: "spec.targets[0]" },
        { source: { name: "owned" }, severity: "error" },
      ],
    });
  });

  it.each<[string, Fields, Fields]>([
    ["deny", {}, { admission: "deny", background: "audit" }],
    ["dryrun", { enforcementAction: "dryrun" }, { admission: "audit", background: "audit" }],
    [
      "scoped",
      {
        enforcementAction: "scoped",
        scopedEnforcementActions: [
          { action: "warn", enforcementPoints: [{ name: "validation.gatekeeper.sh" }] },
          { action: "deny", enforcementPoints: [{ name: "gator.gatekeeper.sh" }] },
        ],
      },
      { admission: "warn", background: "off" },
    ],
    [
      "scoped to the audit",
      {
        enforcementAction: "scoped",
        scopedEnforcementActions: [{ action: "deny", enforcementPoints: [{ name: "audit.gatekeeper.sh" }] }],
      },
      { admission: "off", background: "audit" },
    ],
  ])("do what the constraint says: %s", (_, spec, actions) => {
    const result = imported(template(), constraint(spec));
    expect(result.notes).toEqual([]);
    expect(specOf(result).actions).toEqual(actions);
  });

  it.each<[string, unknown[], string, string]>([
    ["no template", [constraint()], "", "no ConstraintTemplate of kind K8sRequiredLabels"],
    [
      "objects of ExpansionTemplates only",
      [template(), matching({ source: "Generated" })],
      "spec.match.source",
      "Generated",
    ],
    [
      "providers",
      [template({ rego: `${module}\nx { external_data({}) }` }), constraint()],
      "spec.targets[0]",
      "Provider",
    ],
    ["another target", [template({ target: "validation.x", rego: module })], "spec.targets[0].target", ""],
    ["no package", [template({ rego: "violation { true }" }), constraint()], "spec.targets[0]", "package"],
  ])("are refused with the field: %s", (_, objects, path, message) => {
    const { policies, notes } = imported(...objects);
    expect(policies).toEqual([]);
    expect(notes[0]).toMatchObject({ severity: "error", path, message: expect.stringContaining(message) });
  });

  it("never break out of the literal their parameters become", () => {
    const parameters = JSON.parse('{"labels":["a\\"}}\\n{}","\u2028"],"__proto__":{"x":1}}');
    const { rego } = specOf(imported(template(), constraint({ parameters })));
    const text = String(rego.module);
    const from = text.indexOf('"parameters": ') + '"parameters": '.length;
    expect(JSON.parse(text.slice(from, text.indexOf("}\n}", from)))).toEqual(parameters);
  });
});

describe("templates in CEL", () => {
  const source = {
    variables: [
      {
        name: "labels",
        expression: "has(variables.anyObject.metadata.labels) ? variables.anyObject.metadata.labels : {}",
      },
    ],
    validations: [
      {
        expression: "variables.params.labels.all(label, label in variables.labels)",
        messageExpression: "'label it with ' + variables.params.labels.join(', ')",
      },
    ],
    matchCondition: [{ name: "named", expression: "has(object.metadata.name)" }],
  };
  const cel = (more: Fields = {}) =>
    template({
      code: [
        { engine: "Rego", source: { rego: module } },
        { engine: "K8sNativeValidation", source: { ...source, ...more } },
      ],
    });

  it("count before Rego, with Gatekeeper's variables and the parameters", () => {
    const result = imported(cel(), constraint({ match: {} }));
    expect(result.notes).toEqual([]);
    expect(specOf(result)).toMatchObject({
      engine: "cel",
      matchConstraints: { resourceRules: [{ apiGroups: ["*"], resources: ["*"] }] },
      matchConditions: source.matchCondition,
      variables: [
        { name: "anyObject" },
        { name: "params", expression: "dyn({'labels': dyn([dyn('owner')])})" },
        ...source.variables,
      ],
      validations: source.validations,
      failurePolicy: "Fail",
    });
  });

  it("name the place in the template that does not compile", () => {
    const { policies, notes } = imported(
      cel({ validations: [{ expression: "nothing.here" }] }),
      constraint(),
    );
    expect(policies).toEqual([]);
    expect(notes).toMatchObject([
      {
        source: { name: "k8srequiredlabels" },
        path: "spec.targets[0].code[1].source.validations[0].expression",
      },
    ]);
  });

  it("have parameters that are any JSON", () => {
    const parameters = { list: [1, 1.5, "a'b\\", null, true, { x: {} }], big: 1e21, none: [] };
    const result = imported(
      cel({
        variables: [],
        validations: [
          { expression: "variables.params.list[1] == 1.5 && variables.params.list[5].x.size() == 0" },
        ],
      }),
      constraint({ parameters }),
    );
    expect(result.notes).toEqual([]);
    expect(result.policies).toHaveLength(1);
  });
});
