import type { ShieldPolicy } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { admissionRequest, celPolicy, newYear, shieldException } from "../../testing/objects.ts";
import { compileCelRules } from "../cel/admission/compile.ts";
import { explainPolicy } from "../explain/index.ts";
import { typeWithoutSchema } from "../mutation/object-types.ts";
import { renderAdmissionPolicy } from "../native/index.ts";
import { buildPolicySet } from "./build.ts";
import { compilePolicy } from "./compile.ts";
import { compileException, standingOf } from "./exceptions.ts";

const covering = (names: string[]) => compileException(shieldException("e", { match: { names } }));

describe("names of an exception", () => {
  it("cover a name that is still to be generated only by its beginning", () => {
    const generated = (generateName: string) => ({ metadata: { generateName } });
    expect(covering(["reader"]).covers(generated("reader"), "Pod")).toBe(false);
    expect(covering(["reader-*"]).covers(generated("reader-"), "Pod")).toBe(true);
    expect(covering(["reader-b*"]).covers(generated("reader-"), "Pod")).toBe(false);
    expect(covering(["reader"]).covers({ metadata: { name: "reader", generateName: "x-" } }, "Pod")).toBe(
      true,
    );
    expect(covering(["reader"]).covers({}, "Pod")).toBe(false);
  });

  it("of one character and * narrow nothing", () => {
    const terms = {
      ...{ policy: "p", maxDurationMs: Number.POSITIVE_INFINITY, namespaces: undefined },
      isAboutOthersKinds: false,
    };
    const exception = compileException(
      shieldException("e", { policies: ["p"], match: { names: ["a*", "b*"] } }),
    );
    expect(standingOf(terms, exception, 0, {})).toMatchObject({ honoured: false, code: "CoversEverything" });
    expect(exception.covers({ metadata: { name: "app" } }, "Pod")).toBe(false);
  });
});

describe("an exception in a namespace", () => {
  const everyKind: NonNullable<ShieldPolicy["spec"]["matchConstraints"]> = {
    matchPolicy: "Equivalent",
    resourceRules: [
      {
        ...{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"] },
        ...{ resources: ["configmaps", "namespaces"], scope: "*" },
      },
    ],
  };
  const policy = celPolicy("p", {
    evaluation: "Webhook",
    matchConstraints: everyKind,
    actions: { admission: "deny", background: "audit" },
  });
  const exceptions = [
    shieldException("named", { match: { names: ["team-a", "excepted"] } }),
    shieldException("both", { match: { kinds: ["ConfigMap", "Namespace"] } }),
  ];
  const context = { namespaceLabels: {}, namespaceObject: {}, now: newYear };
  const configMap = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "excepted", namespace: "team-a" },
  };
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "team-a" } };
  // As the API server sends it: in a request about a Namespace, `namespace` is its name.
  const ofNamespace = { namespace: "team-a" };
  const resource = { group: "", version: "v1", resource: "namespaces" };

  it("does not cover the Namespace itself: neither in requests nor in the audit", () => {
    const set = buildPolicySet({ policies: [policy], exceptions, serverMinor: 37 });
    expect(set.evaluate(admissionRequest(configMap), context)).toMatchObject({ allowed: true });
    expect(set.evaluate(admissionRequest(namespace, ofNamespace), context)).toMatchObject({
      allowed: false,
      exempted: [],
    });
    const configMaps = { ...resource, resource: "configmaps" };
    expect(set.judge(configMap, { ...context, resource: configMaps }).findings).toEqual([]);
    expect(set.judge(namespace, { ...context, resource })).toMatchObject({
      findings: [{ policy: "p" }],
      exempted: [],
    });
  });

  it("does not keep the Namespace from being changed by mutations", () => {
    const expression = "Object{metadata: Object.metadata{labels: {'made': 'so'}}}";
    const changing = celPolicy("p", {
      evaluation: "Webhook",
      matchConstraints: everyKind,
      validations: [],
      mutations: [{ patchType: "ApplyConfiguration", applyConfiguration: { expression } }],
    });
    const set = buildPolicySet({ policies: [changing], exceptions, serverMinor: 37 });
    const types = () => typeWithoutSchema;
    expect(set.mutate(admissionRequest(configMap), { ...context, types }).mutated).toEqual([]);
    expect(set.mutate(admissionRequest(namespace, ofNamespace), { ...context, types }).mutated).toEqual([
      "p",
    ]);
  });

  it("does not cover it where the API server judges", () => {
    const native = celPolicy("p", { matchConstraints: everyKind });
    const { expression } = renderAdmissionPolicy(native, exceptions, newYear).exceptions;
    const condition = compileCelRules({
      failurePolicy: "Fail",
      matchConditions: [{ name: "ours", expression: expression ?? "" }],
      validations: [{ expression: "true" }],
    });
    const created = { creationTimestamp: "2026-01-01T00:00:00Z" };
    const isJudged = (object: typeof configMap | typeof namespace, change: object) => {
      const stamped = { ...object, metadata: { ...object.metadata, ...created } };
      const { isMatch, failures } = condition.evaluate({
        request: admissionRequest(stamped, change),
        object: stamped,
      });
      expect(failures).toEqual([]);
      return isMatch;
    };
    expect(isJudged(configMap, {})).toBe(false);
    expect(isJudged(namespace, ofNamespace)).toBe(true);
    expect(isJudged({ ...configMap, kind: "Namespace" }, { resource: { ...resource, group: "x.io" } })).toBe(
      false,
    );
  });

  it("is told not to count by whoever explains a request about the Namespace", () => {
    const set = buildPolicySet({ policies: [policy], exceptions, serverMinor: 37 });
    const [compiled] = set.policies;
    if (compiled === undefined) throw new Error("it does not compile");
    const { conclusion, exceptions: told } = explainPolicy({
      policy: compiled,
      exceptions: exceptions.map(compileException),
      request: admissionRequest(namespace, ofNamespace),
      context,
    });
    expect(conclusion).toBe("breaks");
    const why = expect.stringContaining("is in no namespace");
    expect(told).toMatchObject([
      { counts: false, why },
      { counts: false, why },
    ]);
  });

  it.each([
    ["Namespaces", ["Namespace"], [""], false],
    ["nothing in a namespace", ["ClusterRole", "Namespace"], ["", "rbac.authorization.k8s.io"], false],
    ["Namespaces among others", ["ConfigMap", "Namespace"], [""], true],
    ["what another group may call so", ["Namespace"], ["", "servicebus.azure.com"], true],
    ["what any group may call so", ["Namespace"], ["*"], true],
  ])("and for %s is honoured only where it can cover something", (_, kinds, apiGroups, honoured) => {
    const rule = { ...everyKind.resourceRules?.[0], apiGroups };
    const { exceptions: terms } = compilePolicy(
      celPolicy("p", { matchConstraints: { matchPolicy: "Equivalent", resourceRules: [rule] as never } }),
      { serverMinor: 37 },
    );
    const standing = standingOf(
      terms,
      compileException(shieldException("e", { match: { kinds } })),
      newYear,
      {},
    );
    expect(standing).toMatchObject(honoured ? { honoured } : { honoured, code: "ClusterScoped" });
  });
});
