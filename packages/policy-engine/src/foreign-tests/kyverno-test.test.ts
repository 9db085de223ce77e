import { describe, expect, it } from "vitest";
import type { ReadObjects } from "./environment.ts";
import { prepareKyvernoTest, runKyvernoTest } from "./kyverno-run.ts";
import { isKyvernoTest, readKyvernoTest } from "./kyverno-test.ts";

const rules = [
  {
    apiGroups: ["apps"],
    apiVersions: ["v1"],
    operations: ["CREATE", "UPDATE", "DELETE"],
    resources: ["deployments"],
  },
];
const policy = (name: string, spec: object, kind = "ValidatingPolicy") => ({
  apiVersion: "policies.kyverno.io/v1",
  kind,
  metadata: { name },
  spec: { matchConstraints: { resourceRules: rules }, ...spec },
});
const few = policy("few", {
  validationActions: ["Deny"],
  validations: [{ expression: "object.spec.replicas <= 5", message: "at most 5" }],
});
const labelled = policy(
  "labelled",
  {
    mutations: [
      {
        patchType: "ApplyConfiguration",
        applyConfiguration: { expression: "Object{metadata: Object.metadata{labels: {'team': 'shop'}}}" },
      },
    ],
  },
  "MutatingPolicy",
);
const inProduction = policy("production", {
  matchConstraints: { resourceRules: rules, namespaceSelector: { matchLabels: { stage: "production" } } },
  validations: [{ expression: "false", message: "never" }],
});
const nobodyDeletes = policy("kept", {
  matchConditions: [{ name: "deletes", expression: "request.operation == 'DELETE'" }],
  validations: [{ expression: "request.userInfo.?username.orValue('') == 'root'", message: "only root" }],
});
const vap = {
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "ValidatingAdmissionPolicy",
  metadata: { name: "native" },
  spec: {
    matchConstraints: { resourceRules: rules },
    validations: [{ expression: "object.spec.replicas <= 5", message: "at most 5" }],
  },
};
const deployment = (name: string, replicas: number, labels?: object) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace: "shop", ...(labels && { labels }) },
  spec: { replicas },
});

const files: Readonly<Record<string, readonly unknown[]>> = {
  "policies.yaml": [few, labelled, inProduction, nobodyDeletes, vap],
  "resources.yaml": [deployment("small", 2), deployment("large", 9)],
  "patched.yaml": [deployment("small", 2, { team: "shop" })],
  "other.yaml": [deployment("small", 2, { team: "bakery" })],
  "values.yaml": [
    {
      kind: "Values",
      namespaceSelector: [{ name: "shop", labels: { stage: "production" } }],
      globalValues: {},
    },
  ],
  "deletes.yaml": [{ kind: "Values", globalValues: { "request.operation": "DELETE" } }],
  "root.yaml": [{ kind: "UserInfo", userInfo: { username: "root" } }],
};
const read: ReadObjects = (path) => files[path] ?? `${path}: no such file`;

function run(results: readonly object[], more: object = {}) {
  const object = {
    apiVersion: "cli.kyverno.io/v1alpha1",
    kind: "Test",
    metadata: { name: "t" },
    policies: ["policies.yaml"],
    resources: ["resources.yaml"],
    results,
    ...more,
  };
  const test = readKyvernoTest(object, "kyverno-test.yaml", 1);
  const environment = { serverMinor: 37, now: 0, monotonicNow: () => 0 };
  return runKyvernoTest(prepareKyvernoTest(test, read), read, environment);
}
const result = (policy: string, resource: string, result: string, more: object = {}) => ({
  policy,
  kind: "Deployment",
  resources: [resource],
  result,
  ...more,
});
const resultsOf = (results: readonly object[], more?: object) =>
  run(results, more).map((each) => each.result);

describe("tests of the Kyverno CLI", () => {
  it("are told from other objects", () => {
    expect(isKyvernoTest({ apiVersion: "cli.kyverno.io/v1alpha1", kind: "Test" })).toBe(true);
    expect(isKyvernoTest({ apiVersion: "cli.kyverno.io/v1alpha1", kind: "Values" })).toBe(false);
  });

  it("say what each policy comes to for each resource", () => {
    expect(run([result("few", "small", "pass"), result("few", "shop/large", "fail")])).toMatchObject([
      { policy: "few", name: "t/Deployment/shop/small: pass", result: "passed", isMatched: true },
      { policy: "few", name: "t/Deployment/shop/large: fail", result: "passed", message: "at most 5" },
    ]);
    expect(run([result("few", "large", "pass")])).toMatchObject([
      { result: "failed", message: "expected pass, but it is fail: at most 5" },
    ]);
    expect(resultsOf([result("native", "small", "pass"), result("native", "large", "fail")])).toEqual([
      "passed",
      "passed",
    ]);
  });

  it("know what namespaces, users and operations the values name", () => {
    expect(resultsOf([result("production", "small", "skip")])).toEqual(["passed"]);
    expect(resultsOf([result("production", "small", "fail")], { variables: "values.yaml" })).toEqual([
      "passed",
    ]);
    expect(resultsOf([result("kept", "small", "skip")])).toEqual(["passed"]);
    const deletes = { variables: "deletes.yaml" };
    expect(resultsOf([result("kept", "small", "fail")], deletes)).toEqual(["passed"]);
    expect(resultsOf([result("kept", "small", "pass")], { ...deletes, userinfo: "root.yaml" })).toEqual([
      "passed",
    ]);
  });

  it("compare what mutations make", () => {
    const patched = (file: string) => result("labelled", "small", "pass", { patchedResources: file });
    expect(
      run([patched("patched.yaml"), patched("other.yaml"), patched("gone.yaml"), patched("values.yaml")]),
    ).toMatchObject([
      { result: "passed" },
      { result: "failed", message: expect.stringContaining("not as in other.yaml") },
      { result: "error", message: "gone.yaml: no such file" },
      { result: "skipped", message: expect.stringContaining("values.yaml holds no such object") },
    ]);
  });

  it("come to no verdict about what is not carried over, and name it", () => {
    const [unknown] = run([result("nothing", "small", "pass")]);
    expect(unknown).toMatchObject({ result: "error", message: expect.stringContaining("no such policy") });
    expect(run([result("few", "tiny", "pass")])).toMatchObject([{ result: "error" }]);
    for (const [more, what] of [
      [{ jsonPayload: "x.json" }, "JSON payloads"],
      [{ targetResources: ["patched.yaml"] }, "mutateExisting"],
      [{ exceptions: ["x.yaml"] }, "PolicyException"],
    ] as const)
      expect(run([result("few", "small", "pass")], more)).toMatchObject([
        { result: "error", unsupported: what },
      ]);
    expect(run([], { checks: [{}] })).toMatchObject([
      { result: "error", unsupported: expect.stringContaining("kyverno-json") },
    ]);
  });

  it.each([
    [{ policies: "x" }, "policies: must be a list of texts"],
    [{ results: [{ result: "pass" }] }, "results[0].policy"],
    [{ results: [{ policy: "x" }] }, "results[0].result"],
  ])("are refused where they are not what they have to be: %j", (more, expected) => {
    expect(() => readKyvernoTest(more, "kyverno-test.yaml", 1)).toThrow(expected);
  });
});
