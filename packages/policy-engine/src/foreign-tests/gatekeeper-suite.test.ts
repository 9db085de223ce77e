import { describe, expect, it } from "vitest";
import type { ReadObjects } from "./environment.ts";
import { prepareGatekeeperSuite, runGatekeeperSuite } from "./gatekeeper-run.ts";
import { isGatekeeperSuite, readGatekeeperSuite } from "./gatekeeper-suite.ts";

/** A template in CEL, which needs no compiler. */
const template = {
  apiVersion: "templates.gatekeeper.sh/v1",
  kind: "ConstraintTemplate",
  metadata: { name: "k8sfewreplicas" },
  spec: {
    crd: {
      spec: {
        names: { kind: "K8sFewReplicas" },
        validation: {
          openAPIV3Schema: { type: "object", properties: { most: { type: "integer" } } },
        },
      },
    },
    targets: [
      {
        target: "admission.k8s.gatekeeper.sh",
        code: [
          {
            engine: "K8sNativeValidation",
            source: {
              validations: [
                {
                  expression: "variables.anyObject.spec.replicas <= variables.params.most",
                  message: "too many replicas (more than allowed)",
                },
              ],
            },
          },
        ],
      },
    ],
  },
};
const constraint = (more: object = {}) => ({
  apiVersion: "constraints.gatekeeper.sh/v1beta1",
  kind: "K8sFewReplicas",
  metadata: { name: "few" },
  spec: {
    match: { kinds: [{ apiGroups: ["apps"], kinds: ["Deployment"] }] },
    parameters: { most: 3 },
    ...more,
  },
});
const deployment = (replicas: number) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "shop" },
  spec: { replicas },
});
const review = (request: object) => ({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request });

const files: Readonly<Record<string, readonly unknown[]>> = {
  "template.yaml": [template],
  "constraint.yaml": [constraint()],
  "scoped.yaml": [
    constraint({
      enforcementAction: "scoped",
      scopedEnforcementActions: [
        { action: "deny", enforcementPoints: [{ name: "validation.gatekeeper.sh" }] },
      ],
    }),
  ],
  "few.yaml": [deployment(2)],
  "many.yaml": [deployment(9)],
  "both.yaml": [deployment(2), deployment(9)],
  "review.yaml": [review({ operation: "UPDATE", object: deployment(9), oldObject: deployment(2) })],
  "empty-review.yaml": [review({ operation: "CREATE" })],
};
const read: ReadObjects = (path) => files[path] ?? `${path}: no such file`;

function run(tests: readonly object[], more: object = {}) {
  const object = { apiVersion: "test.gatekeeper.sh/v1alpha1", kind: "Suite", tests, ...more };
  const suite = readGatekeeperSuite(object, "suite.yaml", 1);
  const environment = { serverMinor: 37, now: 0, monotonicNow: () => 0 };
  return runGatekeeperSuite(prepareGatekeeperSuite(suite, read), read, environment);
}

const base = { name: "t", template: "template.yaml", constraint: "constraint.yaml" };
const one = (object: string, ...assertions: object[]) =>
  run([{ ...base, cases: [{ name: "c", object, assertions }] }])[0];

describe("suites of Gatekeeper", () => {
  it("are told from other objects", () => {
    expect(isGatekeeperSuite({ apiVersion: "test.gatekeeper.sh/v1alpha1", kind: "Suite" })).toBe(true);
    expect(isGatekeeperSuite({ apiVersion: "v1", kind: "Suite" })).toBe(false);
    expect(isGatekeeperSuite(null)).toBe(false);
  });

  it("hold what is imported of a template and a constraint against objects", () => {
    const { policy, name } = one("few.yaml", { violations: "no" }) ?? {};
    expect({ policy, name }).toEqual({ policy: "K8sFewReplicas/few", name: "t/c" });
    expect(one("few.yaml", { violations: false })).toMatchObject({ result: "passed", isMatched: true });
    expect(one("many.yaml", {})).toMatchObject({
      result: "passed",
      message: expect.stringContaining("too many"),
    });
    expect(one("many.yaml", { violations: 1, message: "many.*\\(more" })).toMatchObject({ result: "passed" });
    expect(one("many.yaml", { violations: 0, message: "few" })).toMatchObject({ result: "passed" });
    expect(one("review.yaml", { violations: true })).toMatchObject({ result: "passed" });
  });

  it("say what was expected and what came", () => {
    expect(one("many.yaml", { violations: "no" })).toMatchObject({
      result: "failed",
      message: expect.stringMatching(/^expected no violations, but there are 1: .*too many/),
    });
    expect(one("few.yaml", {})).toMatchObject({
      result: "failed",
      message: "expected at least one violation, but there is none",
    });
    expect(one("many.yaml", { violations: 2 })).toMatchObject({ result: "failed" });
    expect(one("many.yaml", { message: "few" })).toMatchObject({
      result: "failed",
      message: expect.stringContaining('with "few"'),
    });
  });

  it("come to no verdict about what cannot be read, or is not there", () => {
    for (const [object, assertion, why] of [
      ["gone.yaml", {}, "no such file"],
      ["both.yaml", {}, "2 objects"],
      ["", {}, "names no object"],
      ["empty-review.yaml", {}, "neither object nor oldObject"],
      ["many.yaml", { message: "(" }, "no pattern"],
    ] as const)
      expect(one(object, assertion)).toMatchObject({
        result: "error",
        message: expect.stringContaining(why),
      });
    expect(one("many.yaml")).toMatchObject({
      result: "error",
      message: expect.stringContaining("asserts nothing"),
    });
    const [expanded] = run([
      { ...base, expansion: "x.yaml", cases: [{ name: "c", object: "few.yaml", assertions: [{}] }] },
    ]);
    expect(expanded).toMatchObject({ result: "error", unsupported: "ExpansionTemplate" });
  });

  it("leave out what says so, and what is not for gator", () => {
    const cases = [{ name: "c", object: "many.yaml", assertions: [{}] }];
    const results = (tests: object[], more?: object) => run(tests, more).map(({ result }) => result);
    expect(results([{ ...base, cases, skip: true }])).toEqual(["skipped"]);
    expect(results([{ ...base, cases }], { skip: true })).toEqual(["skipped"]);
    expect(results([{ ...base, cases: [{ ...cases[0], skip: true }] }])).toEqual(["skipped"]);
    const scoped = [{ ...cases[0], assertions: [{ violations: "no" }] }];
    expect(results([{ ...base, constraint: "scoped.yaml", cases: scoped }])).toEqual(["passed"]);
  });

  it.each([
    [{ tests: {} }, "tests: must be a list"],
    [{ tests: [1] }, "tests[0]: must be an object"],
    [
      { tests: [{ cases: [{ assertions: [{ violations: -1 }] }] }] },
      "tests[0].cases[0].assertions[0].violations",
    ],
    [{ tests: [{ cases: [{ inventory: "x" }] }] }, "tests[0].cases[0].inventory: must be a list of files"],
  ])("are refused where they are not what they have to be: %j", (more, expected) => {
    expect(() => readGatekeeperSuite(more, "suite.yaml", 1)).toThrow(expected);
  });
});
