import type { ShieldPolicy } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { buildPolicySet } from "../policy-set/build.ts";
import type { ParamLookup } from "../policy-set/params.ts";
import type { AdmissionRequestLike } from "../policy-set/request.ts";
import { type ObjectTypes, objectTypes } from "./object-types.ts";

/** As the API server tells of ConfigMaps and Pods, in short. */
const document = {
  components: {
    schemas: {
      Meta: {
        type: "object",
        properties: {
          name: { type: "string" },
          namespace: { type: "string" },
          labels: { type: "object", additionalProperties: { type: "string" } },
          annotations: { type: "object", additionalProperties: { type: "string" } },
          deletionTimestamp: { type: "string", format: "date-time" },
          finalizers: { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "set" },
        },
      },
      Container: {
        type: "object",
        properties: {
          name: { type: "string" },
          image: { type: "string" },
          args: { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "atomic" },
        },
      },
      Pod: {
        type: "object",
        "x-kubernetes-group-version-kind": [{ group: "", version: "v1", kind: "Pod" }],
        properties: {
          apiVersion: { type: "string" },
          kind: { type: "string" },
          metadata: { allOf: [{ $ref: "#/components/schemas/Meta" }] },
          status: { type: "object", properties: { phase: { type: "string" } } },
          spec: {
            type: "object",
            properties: {
              hostNetwork: { type: "boolean" },
              containers: {
                type: "array",
                items: { allOf: [{ $ref: "#/components/schemas/Container" }] },
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
              },
            },
          },
        },
      },
    },
  },
};
const types = objectTypes(document) as ObjectTypes;

const apply = (expression: string) => ({
  patchType: "ApplyConfiguration" as const,
  applyConfiguration: { expression },
});
const patch = (expression: string) => ({ patchType: "JSONPatch" as const, jsonPatch: { expression } });
const label = (name: string, value: string) =>
  apply(`Object{metadata: Object.metadata{labels: {'${name}': '${value}'}}}`);

function policy(name: string, mutations: readonly object[], spec: object = {}): ShieldPolicy {
  return {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldPolicy",
    metadata: { name, uid: name, generation: 1 },
    spec: {
      engine: "cel",
      evaluation: "Webhook",
      actions: { admission: "deny" },
      matchConstraints: {
        matchPolicy: "Equivalent",
        resourceRules: [
          { apiGroups: [""], apiVersions: ["v1"], resources: ["pods"], operations: ["CREATE", "UPDATE"] },
        ],
      },
      mutations,
      ...spec,
    },
  } as unknown as ShieldPolicy;
}

const pod = (metadata: object = {}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", namespace: "default", ...metadata },
  spec: { containers: [{ name: "app", image: "app" }] },
});

function requestFor(object: object, more: Partial<AdmissionRequestLike> = {}): AdmissionRequestLike {
  return {
    uid: "1",
    kind: { group: "", version: "v1", kind: "Pod" },
    resource: { group: "", version: "v1", resource: "pods" },
    name: "web",
    namespace: "default",
    operation: "CREATE",
    userInfo: { username: "jane" },
    object,
    ...more,
  };
}

const now = Date.parse("2026-05-01T00:00:00Z");

function mutate(
  policies: readonly ShieldPolicy[],
  request: AdmissionRequestLike = requestFor(pod()),
  more: {
    readonly types?: ObjectTypes;
    readonly exceptions?: readonly object[];
    readonly params?: ParamLookup;
  } = {},
) {
  const exceptions = (more.exceptions ?? []) as never[];
  const set = buildPolicySet({ policies, exceptions, serverMinor: 37 });
  expect(set.problems.map(({ error }) => error.message)).toEqual([]);
  const { params } = more;
  return set.mutate(request, { namespaceLabels: {}, now, params, types: more.types ?? types });
}

describe("mutations of a policy set", () => {
  it("are made in the order of the policies' names, each seeing what those before made", () => {
    const verdict = mutate([
      policy("b", [
        apply("Object{metadata: Object.metadata{annotations: {'team-was': object.metadata.labels['team']}}}"),
      ]),
      policy("a", [label("team", "none")]),
    ]);
    expect(verdict).toMatchObject({ allowed: true, mutated: ["a", "b"], matched: ["a", "b"] });
    expect(verdict.object?.metadata).toMatchObject({
      labels: { team: "none" },
      annotations: { "team-was": "none" },
    });
  });

  it("merge lists by their keys", () => {
    const sidecar =
      "Object{spec: Object.spec{containers: [Object.spec.containers{name: 'proxy', image: 'proxy'}]}}";
    const { object } = mutate([policy("sidecar", [apply(sidecar)])]);
    expect(object?.spec).toEqual({
      containers: [
        { name: "app", image: "app" },
        { name: "proxy", image: "proxy" },
      ],
    });
  });

  it("leave the object as it is when nothing matches, or nothing would change", () => {
    const labelled = requestFor(pod({ labels: { team: "none" } }));
    expect(mutate([policy("a", [label("team", "none")])], labelled)).toMatchObject({
      object: undefined,
      matched: ["a"],
      mutated: [],
    });
    const conditions = [{ name: "never", expression: "false" }];
    const never = policy("a", [label("team", "none")], { matchConditions: conditions });
    expect(mutate([never])).toMatchObject({ object: undefined, matched: [] });
  });

  it("go again over what a later policy adds, unless reinvocationPolicy says Never", () => {
    const everyContainer = apply(
      "Object{spec: Object.spec{containers: object.spec.containers.map(c, Object.spec.containers{name: c.name, image: 'mirror/' + c.name})}}",
    );
    const sidecar = apply(
      "Object{spec: Object.spec{containers: object.spec.containers.exists(c, c.name == 'proxy') ? " +
        "[Object.spec.containers{name: 'app'}] : [Object.spec.containers{name: 'proxy', image: 'proxy'}]}}",
    );
    const images = (spec: object) => {
      const { object } = mutate([policy("a", [everyContainer], spec), policy("b", [sidecar])]);
      const made = object?.spec as { containers: { image: string }[] } | undefined;
      return made?.containers.map(({ image }) => image);
    };
    expect(images({})).toEqual(["mirror/app", "mirror/proxy"]);
    expect(images({ reinvocationPolicy: "Never" })).toEqual(["mirror/app", "proxy"]);
  });

  it("are refused where they would not come to the same twice, saying what changes again", () => {
    const counts = patch(
      "[JSONPatch{op: 'add', path: '/spec/containers/-', value: Object.spec.containers{name: 'c' + string(size(object.spec.containers)), image: 'x'}}]",
    );
    const verdict = mutate([policy("grows", [counts])]);
    expect(verdict).toMatchObject({ allowed: false, object: undefined });
    expect(verdict.denials).toMatchObject([{ code: "NotIdempotent", policy: "grows" }]);
    expect(verdict.denials[0]?.message).toContain("/spec/containers/2 again");
  });

  it("leave no half of a policy behind, and go on with the next, under failurePolicy Ignore", () => {
    const broken = apply("Object{spec: Object.spec{hostNetwork: object.spec.nothing}}");
    const verdict = mutate([
      policy("a", [label("half", "done"), broken], { failurePolicy: "Ignore" }),
      policy("b", [label("team", "none")]),
    ]);
    expect(verdict).toMatchObject({ allowed: true, mutated: ["b"] });
    expect(verdict.audits).toMatchObject([{ code: "EvaluationError", policy: "a" }]);
    expect(verdict.audits[0]?.message).toContain("spec.mutations[1]: ");
    expect(verdict.object?.metadata).toMatchObject({ labels: { team: "none" } });
  });

  it.each([
    ["metadata.name", "[JSONPatch{op: 'replace', path: '/metadata/name', value: 'other'}]"],
    [
      "metadata.deletionTimestamp",
      "[JSONPatch{op: 'add', path: '/metadata/deletionTimestamp', value: 'now'}]",
    ],
    ["kind", "[JSONPatch{op: 'replace', path: '/kind', value: 'Secret'}]"],
    ["status", "[JSONPatch{op: 'add', path: '/status', value: {'phase': 'Running'}}]"],
  ])("may not change %s", (field, expression) => {
    const { denials } = mutate([policy("a", [patch(expression)])]);
    expect(denials).toMatchObject([{ code: "ForbiddenChange" }]);
    expect(denials[0]?.message).toContain(`change ${field},`);
  });

  it("may not set what is atomic, or what the schema does not know", () => {
    const args = apply(
      "Object{spec: Object.spec{containers: [Object.spec.containers{name: 'app', args: ['-v']}]}}",
    );
    expect(mutate([policy("a", [args])]).denials[0]?.message).toContain(
      "may not mutate atomic arrays, maps or structs: .spec.containers[0].args",
    );
    const typo = patch("[JSONPatch{op: 'add', path: '/spec/hostNetwrok', value: true}]");
    expect(mutate([policy("a", [typo])]).denials[0]?.message).toContain(
      ".spec.hostNetwrok: field not declared in schema",
    );
  });

  it("wait for the schema: without it lists would be replaced", () => {
    const { denials } = mutate([policy("a", [label("a", "b")])], undefined, { types: () => undefined });
    expect(denials).toMatchObject([{ code: "SchemaUnknown" }]);
  });

  it("never touch objects that are being deleted, other operations, or namespaces left alone", () => {
    const policies = [policy("a", [label("a", "b")])];
    const dying = pod({ deletionTimestamp: "2026-05-01T00:00:00Z", finalizers: ["x/y"] });
    const update = requestFor(pod({ deletionTimestamp: "2026-05-01T00:00:00Z" }), {
      operation: "UPDATE",
      oldObject: dying,
    });
    expect(mutate(policies, update)).toMatchObject({ object: undefined, matched: [] });
    const deletion = { operation: "DELETE", object: undefined, oldObject: pod() };
    expect(mutate(policies, requestFor(pod(), deletion)).object).toBeUndefined();
    expect(mutate(policies, requestFor(pod(), { namespace: "kube-system" })).object).toBeUndefined();
    const off = policy("a", [label("a", "b")], { actions: { admission: "off" } });
    expect(mutate([off]).object).toBeUndefined();
  });

  it("leave excepted objects alone", () => {
    const exception = {
      apiVersion: "shieldx.io/v1alpha1",
      kind: "ShieldException",
      metadata: { name: "e", namespace: "default", creationTimestamp: "2026-04-30T00:00:00Z" },
      spec: { policies: ["a"], match: { names: ["web"] }, expiresAt: "2026-05-02T00:00:00Z" },
    };
    const excepting = policy("a", [label("a", "b")], { exceptions: { namespaces: { names: ["default"] } } });
    const verdict = mutate([excepting], undefined, { exceptions: [exception] });
    expect(verdict).toMatchObject({ object: undefined, exempted: [{ policy: "a", exception: "default/e" }] });
  });

  it("are made with each parameter object in turn, conditions and all, and not without any unless they must", () => {
    const found = (...names: string[]): ParamLookup => {
      const objects = names.map((name) => ({
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name, namespace: "default" },
        data: { label: `from-${name}` },
      }));
      return () => ({ state: "known", isNamespaced: true, get: () => objects[0], list: () => objects });
    };
    const expression = "Object{metadata: Object.metadata{labels: {params.data.label: 'yes'}}}";
    const labelling = (parameterNotFoundAction: "Allow" | "Deny", expected = "true") =>
      policy("a", [apply(expression)], {
        paramKind: { apiVersion: "v1", kind: "ConfigMap" },
        paramRef: { selector: {}, parameterNotFoundAction },
        matchConditions: [{ name: "chosen", expression: expected }],
      });
    const labels = (of: ShieldPolicy, params: ParamLookup) =>
      (mutate([of], undefined, { params }).object?.metadata as { labels?: object } | undefined)?.labels;
    expect(labels(labelling("Allow"), found("x", "y"))).toEqual({ "from-x": "yes", "from-y": "yes" });
    expect(labels(labelling("Allow", "params.metadata.name == 'y'"), found("x", "y"))).toEqual({
      "from-y": "yes",
    });
    expect(mutate([labelling("Allow")], undefined, { params: found() })).toMatchObject({
      allowed: true,
      matched: [],
    });
    const { denials } = mutate([labelling("Deny")], undefined, { params: found() });
    expect(denials).toMatchObject([{ code: "EvaluationError" }]);
    expect(denials[0]?.message).toContain("no params found");
  });

  it("take __proto__ for a key like others", () => {
    const expression = "[JSONPatch{op: 'add', path: '/metadata/labels/__proto__', value: 'x'}]";
    const request = requestFor(pod({ labels: {} }));
    const { object } = mutate([policy("a", [patch(expression)])], request);
    expect(JSON.stringify(object?.metadata)).toContain('"__proto__":"x"');
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });

  it("are told apart from expressions that cannot be compiled", () => {
    const set = buildPolicySet({
      policies: [policy("a", [apply("Object{spec: ")]), policy("b", [apply("'text'")])],
      exceptions: [],
      serverMinor: 37,
    });
    expect(set.problems.map(({ error }) => error.message)).toEqual([
      expect.stringMatching(/^spec\.mutations\[0\]\.applyConfiguration\.expression: line 1, column \d+: /),
      "spec.mutations[0].applyConfiguration.expression: must evaluate to Object but got string",
    ]);
  });
});
