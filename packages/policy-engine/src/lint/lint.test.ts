import { parseShieldPolicy, type ShieldPolicy } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { LINT_RULES, type LintCode, lintPolicy } from "./index.ts";

type Fields = Record<string, unknown>;
const rule = (more: Fields = {}) => ({
  apiGroups: ["apps"],
  apiVersions: ["v1"],
  operations: ["CREATE", "UPDATE"],
  resources: ["deployments"],
  ...more,
});
const object = { apiVersion: "apps/v1", kind: "Deployment", spec: { replicas: 1 } };
const cases = [
  { name: "one", object, expect: { decision: "allow" } },
  { name: "nine", object: { ...object, spec: { replicas: 9 } }, expect: { decision: "deny" } },
];
const policy = (spec: Fields): ShieldPolicy =>
  parseShieldPolicy({
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldPolicy",
    metadata: { name: "p" },
    spec: { actions: { admission: "deny" }, matchConstraints: { resourceRules: [rule()] }, ...spec },
  });
const cel = (spec: Fields = {}) =>
  policy({
    engine: "cel",
    validations: [{ expression: "object.spec.replicas <= 5", message: "at most 5" }],
    tests: cases,
    ...spec,
  });
const rego = (module: string, spec: Fields = {}) =>
  policy({ engine: "rego", rego: { module }, tests: cases, ...spec });
const codes = (linted: ShieldPolicy, serverMinor = 37) =>
  lintPolicy(linted, { serverMinor }).map(({ code }) => code);
const rules = (expression: string, message = "no") =>
  cel({ tests: [], validations: [{ expression, message }] });
const only = (linted: ShieldPolicy) => codes(linted).filter((code) => code !== "no-tests");

describe("lint of a policy in CEL", () => {
  it("says nothing of a sound one", () => {
    expect(lintPolicy(cel(), { serverMinor: 37 })).toEqual([]);
  });

  it.each<[LintCode, Fields]>([
    ["no-tests", { tests: undefined }],
    ["no-refused-case", { tests: cases.slice(0, 1) }],
    ["no-passing-case", { tests: cases.slice(1) }],
    ["tests-fail", { tests: [...cases, { ...cases[1], name: "wrong", expect: { decision: "allow" } }] }],
    ["deny-fails-open", { failurePolicy: "Ignore" }],
    ["message-missing", { validations: [{ expression: "object.spec.replicas <= 5" }] }],
    ["unused-variable", { variables: [{ name: "left", expression: "1" }] }],
    ["exceptions-everywhere", { exceptions: { namespaces: { selector: {} } } }],
  ])("finds %s", (code, spec) => {
    expect(codes(cel(spec))).toEqual([code]);
  });

  it.each<[LintCode, Fields]>([
    ["matches-everything", { resourceRules: [rule({ apiGroups: ["*"], resources: ["*"] })] }],
    ["updates-slip-by", { resourceRules: [rule({ operations: ["CREATE"] })] }],
    ["bypass-by-label", { resourceRules: [rule()], objectSelector: { matchLabels: { judged: "yes" } } }],
    [
      "selector-excludes-nothing",
      {
        resourceRules: [rule()],
        namespaceSelector: {
          matchExpressions: [
            { key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["kube-system"] },
          ],
        },
      },
    ],
    ["selector-excludes-nothing", { resourceRules: [rule()], namespaceSelector: {} }],
  ])("finds %s in what it is about", (code, matchConstraints) => {
    expect(only(cel({ matchConstraints, tests: [] }))).toEqual([code]);
  });

  it("knows versions that the cluster serves no more, and those it still does", () => {
    const resourceRules = [rule({ apiGroups: ["batch"], apiVersions: ["v1beta1"], resources: ["cronjobs"] })];
    const old = cel({ matchConstraints: { resourceRules }, tests: [] });
    expect(codes(old)).toContain("removed-api-version");
    expect(codes(old, 24)).not.toContain("removed-api-version");
    const ingress = [rule({ apiGroups: ["extensions"], apiVersions: ["v1beta1"], resources: ["ingresses"] })];
    expect(codes(cel({ matchConstraints: { resourceRules: ingress }, tests: [] }))).toContain(
      "removed-api-version",
    );
  });

  it.each([
    "true",
    "!false",
    "1 == 1",
    "object.spec.x == 1 || true",
    "object.kind == object.kind",
    "['a'].exists(x, x == 'b')",
  ])("finds the constant: %s", (expression) =>
    expect(only(rules(expression))).toEqual(["constant-expression"]),
  );

  it.each([
    "object.metadata.labels.team != ''",
    "object.spec.containers.all(c, c.securityContext.privileged == false)",
    "object.spec.template.spec.volumes.all(v, v.name != 'x')",
  ])("finds the field that may not be there: %s", (expression) => {
    expect(new Set(only(rules(expression)))).toEqual(new Set(["unchecked-optional-field"]));
  });

  it.each([
    "has(object.metadata.labels) && object.metadata.labels.team != ''",
    "object.metadata.?labels.?team.orValue('') != ''",
    "'labels' in object.metadata && object.metadata.labels.team != ''",
    "object.spec.containers.all(c, !has(c.securityContext) || !has(c.securityContext.privileged) || !c.securityContext.privileged)",
    "object.spec.template.spec.containers.size() > 0",
    "object.spec.x.all(c, c.name.matches('latest'))",
    "variables.labels.size() > 0",
  ])("is content with: %s", (expression) => {
    const variables = [{ name: "labels", expression: "object.metadata.?labels.orValue({})" }];
    const uses = expression.includes("variables") ? { variables } : {};
    expect(only(cel({ tests: [], validations: [{ expression, message: "no" }], ...uses }))).toEqual([]);
  });

  it("lets a matchCondition make sure of a field for all that follows", () => {
    const matchConditions = [{ name: "labelled", expression: "has(object.metadata.labels)" }];
    const validations = [{ expression: "object.metadata.labels.size() > 0", message: "no" }];
    expect(only(cel({ matchConditions, validations, tests: [] }))).toEqual([]);
  });

  it.each<[string, LintCode[]]>([
    ["c.image.matches('docker.io/.*')", ["image-pattern-unanchored"]],
    ["c.image.matches('^docker.io/.*')", []],
    ["c.image.matches('(^docker.io/|^quay.io/).*')", []],
    ["c.image.matches('@sha256:[0-9a-f]{64}$')", []],
    ["c.image.startsWith('docker.io')", ["image-prefix-open"]],
    ["c.image.startsWith('docker.io/')", []],
    ["c.name.startsWith('docker.io')", []],
  ])("looks at how images are matched: %s", (expression, expected) => {
    expect(only(rules(`object.spec.containers.all(c, ${expression})`))).toEqual(expected);
  });

  it("finds optionals in variables that the API server does not look into", () => {
    const of = (expression: string, rule: string) =>
      only(
        cel({
          tests: [],
          variables: [{ name: "context", expression }],
          validations: [{ expression: rule, message: "no" }],
        }),
      );
    const reads = "variables.context.?runAsUser.orValue(1) != 0";
    expect(of("object.spec.?securityContext", reads)).toEqual(["optional-in-variable"]);
    expect(of("object.spec[?'securityContext']", "variables.context[?'x'].hasValue()")).toEqual([
      "optional-in-variable",
    ]);
    expect(of("object.spec.?securityContext.orValue({})", reads)).toEqual([]);
    expect(of("object.spec.?securityContext", "variables.context.orValue({}).size() > 0")).toEqual([]);
  });

  it("finds ephemeral containers that nobody asks about", () => {
    const pods = (resources: string[]) =>
      cel({
        tests: [],
        matchConstraints: { resourceRules: [rule({ apiGroups: [""], resources })] },
        validations: [
          { expression: "object.spec.?ephemeralContainers.orValue([]).size() == 0", message: "no" },
        ],
      });
    expect(only(pods(["pods"]))).toEqual(["ephemeral-containers-slip-by"]);
    expect(only(pods(["pods", "pods/ephemeralcontainers"]))).toEqual([]);
  });

  it("measures what a rule costs on longer lists than its cases have", () => {
    const groups = ["a", "b"].map((name) => ({ name, members: [{ name: "x" }, { name: "y" }] }));
    const pod = { apiVersion: "v1", kind: "Pod", spec: { groups } };
    const loops =
      "object.spec.groups.all(a, a.members.all(b, object.spec.groups.all(c, c.members.all(d, b.name != '' && d.name != ''))))";
    const tests = [
      { name: "a", object: pod, expect: { decision: "allow" } },
      {
        name: "b",
        object: { ...pod, spec: { groups: [{ name: "a", members: [{ name: "" }] }] } },
        expect: { decision: "deny" },
      },
    ];
    const of = (expression: string) =>
      cel({
        matchConstraints: { resourceRules: [rule({ apiGroups: [""], resources: ["pods"] })] },
        validations: [{ expression, message: "no" }],
        tests,
      });
    expect(codes(of(loops))).toEqual(["costly-expression"]);
    expect(codes(of("object.spec.groups.all(a, a.members.all(b, b.name != ''))"))).toEqual([]);
  });

  it("says what does not compile, and goes on", () => {
    const found = lintPolicy(
      cel({ validations: [{ expression: "object.spec =", message: "no" }], tests: [] }),
      { serverMinor: 37 },
    );
    expect(found.map(({ code, path }) => [code, path])).toEqual([
      ["does-not-compile", "spec.validations[0].expression"],
      ["no-tests", "spec.tests"],
    ]);
  });

  it("tells parameters that nobody reads", () => {
    const params = {
      paramKind: { apiVersion: "v1", kind: "ConfigMap" },
      paramRef: { name: "limits", parameterNotFoundAction: "Allow" },
    };
    expect(codes(cel({ ...params, tests: undefined }))).toEqual(["no-tests", "unused-params"]);
  });
});

describe("lint of a module", () => {
  const sound = `package p

import data.lib as words

# import data.nothing
deny contains msg if {
  some name
  input.request.object.metadata.labels[name]
  value := input.request.object.spec[name]
  msg := sprintf("%v %v := x", [words.of(value), "unused := 1"])
}
`;
  it("says nothing of a sound one", () => {
    expect(codes(rego(sound))).toEqual([]);
  });

  it.each<[LintCode, string]>([
    ["rego-unused-import", `${sound}\nimport data.other`],
    ["rego-unused-import", `${sound}\nimport data.other as third`],
    ["rego-unused-variable", sound.replace("some name", "some name\n  left := 1")],
    ["rego-unused-variable", sound.replace("some name", "some name\n  some left")],
    ["rego-no-message", "package p\n\ndeny if input.request.object.x"],
    ["rego-no-message", "package p\n\ndeny { input.request.object.x }"],
    ["rego-no-message", "package p\n\ndeny := true"],
    ["rego-no-message", 'package p\n\nviolation[{"details": {"msg2": 1}}] { true }'],
    ["unset-parameters", sound.replace("spec[name]", "spec[name]\n  input.parameters.x == value")],
    [
      "image-prefix-open",
      sound.replace("some name", 'some name\n  not startswith(input.request.object.image, "docker.io")'),
    ],
    [
      "image-pattern-unanchored",
      sound.replace("some name", "some name\n  not regex.match(`docker.io/.*`, c.image)"),
    ],
  ])("finds %s", (code, module) => {
    expect(new Set(codes(rego(module)))).toEqual(new Set([code]));
  });

  it.each([
    'package p\n\nviolation[{"msg": msg}] { msg := input.request.object.x }',
    'package p\n\nviolation contains {"msg": "no", "details": {}} if true',
    "package p\n\ndeny[msg] { msg := input.request.object.x }",
    "package p\n\nimport rego.v1\nimport future.keywords.in\n\ndeny := [x | x := input.a[_]]",
  ])("is content with messages: %s", (module) => expect(codes(rego(module))).toEqual([]));

  it("never troubles over what is no Rego", () => {
    for (const module of ["}}}}", '"', "`", "#", "deny[", 'x := "\\', "import", "some", "\u2028"])
      expect(() => codes(rego(`package p\n${module}`))).not.toThrow();
  });
});

it("every rule says what it finds and what to do", () => {
  for (const { about, remedy } of Object.values(LINT_RULES)) {
    expect(about.length).toBeGreaterThan(20);
    expect(remedy).toMatch(/^[A-Z].*\.$/s);
  }
});
