import type { ShieldPolicy } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import {
  admissionRequest,
  celPolicy,
  newYear,
  podObject,
  shieldException,
} from "../../../testing/objects.ts";
import { EvaluationError } from "../../rego/builtins/contract.ts";
import type { RegoQuestion } from "../../rego/program/index.ts";
import type { RegoLookup, RegoPolicyState } from "../../rego-policies/state.ts";
import { buildPolicySet } from "../build.ts";
import type { PolicySet } from "../policy-set.ts";

const configMap = (name = "a", metadata: object = {}) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "team-a", ...metadata },
});
const about = (object: object, more: object = {}) => ({
  ...admissionRequest(podObject("x")),
  kind: { group: "", version: "v1", kind: "ConfigMap" },
  resource: { group: "", version: "v1", resource: "configmaps" },
  name: "a",
  namespace: "team-a",
  operation: "CREATE",
  object,
  ...more,
});

function regoPolicy(name = "p", spec: object = {}, generation = 1): ShieldPolicy {
  const { validations: _, ...rest } = celPolicy(name).spec;
  return {
    ...celPolicy(name),
    metadata: { name, uid: `uid-of-${name}`, generation },
    spec: {
      ...rest,
      engine: "rego",
      rego: { module: "package a", version: "v1" },
      ...spec,
    } as ShieldPolicy["spec"],
  };
}

/** A program that answers by a function, as if it had been compiled. */
function answering(evaluate: (question: RegoQuestion) => readonly string[]): RegoLookup {
  return () => ({ kind: "ready", program: { entrypoint: "data.a.deny", rule: "deny", evaluate } });
}

const setOf = (rego: RegoLookup, policy = regoPolicy(), previous?: PolicySet) =>
  buildPolicySet({ policies: [policy], exceptions: [], serverMinor: 37, rego, previous });
const context = { namespaceLabels: {}, now: newYear };
const denials = (set: PolicySet, request = about(configMap())) => set.evaluate(request, context).denials;

const lookingAtPods = {
  module: "package a",
  version: "v1",
  inventory: [{ apiVersion: "v1", kind: "Pod" }],
};

describe("a policy of engine rego that looks at more than the request", () => {
  it("decides nothing while what it lists is not known, and sees nothing it does not list", () => {
    const asked: RegoQuestion[] = [];
    const rego = answering((question) => {
      asked.push(question);
      return [];
    });
    const inventory = { documents: { inventory: {} }, problem: () => "ShieldX may not read pods" };
    const said = (policy: ShieldPolicy, more: object) =>
      setOf(rego, policy).evaluate(about(configMap()), { ...context, ...more }).denials;
    const looking = regoPolicy("p", { rego: lookingAtPods });
    expect(said(looking, { inventory })).toMatchObject([
      {
        code: "EvaluationError",
        message: expect.stringContaining("data.inventory: ShieldX may not read pods"),
      },
    ]);
    expect(said(looking, {})).toMatchObject([{ message: expect.stringContaining("no cluster to look at") }]);
    expect(said(regoPolicy(), { inventory })).toEqual([]);
    expect(asked.map(({ data }) => data)).toEqual([undefined]);
  });

  const limit = (name: string, max: number) => ({ kind: "Limit", metadata: { name }, spec: { max } });
  const withParams = (parameterNotFoundAction: string, more: object = {}) =>
    regoPolicy("p", {
      paramKind: { apiVersion: "x.io/v1", kind: "Limit" },
      paramRef: { selector: {}, parameterNotFoundAction },
      ...more,
    });
  const rego = answering(({ input }) => {
    const { max } = (input as { parameters: { spec: { max: number } } }).parameters.spec;
    if (max === 0) throw new EvaluationError("eval_type_error", "no limit");
    return max < 5 ? ["too many", `at most ${max}`] : [];
  });
  const given = (objects: readonly object[]) => {
    const known = { state: "known", isNamespaced: false, get: () => undefined, list: () => objects } as const;
    return { ...context, params: () => known };
  };
  const judged = (policy: ShieldPolicy, objects: readonly object[], more: object = {}) =>
    setOf(rego, policy).evaluate(about(configMap()), { ...given(objects), ...more });

  it("must satisfy each parameter object", () => {
    const details = (...objects: object[]) =>
      judged(withParams("Deny"), objects).denials.flatMap(({ violations }) =>
        violations.map(({ detail }) => detail),
      );
    expect(details(limit("a", 9), limit("b", 7))).toEqual([]);
    expect(details(limit("a", 9), limit("b", 3), limit("c", 4))).toEqual([
      "too many",
      "at most 3",
      "at most 4",
    ]);
    expect(details(limit("a", 0), limit("b", 3))).toContain("at most 3");
    expect(judged(withParams("Deny"), [limit("a", 9), limit("b", 0)]).denials).toMatchObject([
      { code: "EvaluationError", message: expect.stringContaining("no limit") },
    ]);
  });

  it("is undecided where time runs out before all of them were looked at", () => {
    let now = 0;
    const time = { deadlineMs: 4, monotonicNow: () => now++ };
    const nine = [1, 2, 3, 4, 5, 6, 7, 8].map((at) => limit(`a${at}`, 9));
    const late = [{ code: "DeadlineExceeded", message: expect.stringContaining("time ran out") }];
    expect(judged(withParams("Deny"), [...nine, limit("z", 3)], time).denials).toMatchObject(late);
    // What is wrong by those that were looked at is wrong.
    now = 0;
    const { denials } = judged(withParams("Deny"), [limit("a", 3), ...nine], time);
    expect(denials).toMatchObject([{ code: "PolicyViolation" }]);
    // The last was looked at in time.
    now = 0;
    expect(judged(withParams("Deny"), [limit("a", 9)], { ...time, deadlineMs: 2 }).allowed).toBe(true);
  });

  it("does not pass by an exception for what one of them says where another could not be told", () => {
    const excepted = (checks?: string[]) =>
      buildPolicySet({
        policies: [withParams("Deny")],
        exceptions: [shieldException("e", { match: { names: ["a"] }, ...(checks && { checks }) } as object)],
        serverMinor: 37,
        rego,
      }).evaluate(about(configMap()), given([limit("a", 3), limit("b", 0)]));
    expect(excepted(["deny"])).toMatchObject({
      denials: [{ code: "EvaluationError", message: expect.stringContaining("no limit") }],
      exempted: [{ exception: "team-a/e" }],
    });
    const { allowed, exempted } = excepted();
    expect(allowed).toBe(true);
    expect(exempted).toHaveLength(1);
  });

  it("is about nothing, or undecided, without any, as paramRef says", () => {
    expect(judged(withParams("Allow"), [])).toMatchObject({ allowed: true, audits: [] });
    expect(judged(withParams("Deny"), []).denials).toMatchObject([
      { code: "EvaluationError", message: expect.stringContaining("no params found") },
    ]);
  });

  it("shows them to its matchConditions one by one", () => {
    const matchConditions = [{ name: "b", expression: "params.metadata.name == 'b'" }];
    const policy = withParams("Deny", { matchConditions });
    const { denials } = judged(policy, [limit("a", 3), limit("b", 4)]);
    expect(denials[0]?.violations.map(({ detail }) => detail)).toEqual(["too many", "at most 4"]);
    expect(judged(policy, [limit("a", 3)])).toMatchObject({ allowed: true, matched: [] });
  });
});

describe("a policy of engine rego", () => {
  it("refuses with its messages", () => {
    const set = setOf(answering(() => ["no owner", "no team"]));
    expect(denials(set)).toMatchObject([
      {
        code: "PolicyViolation",
        statusReason: "Forbidden",
        message: 'ShieldPolicy "p" refuses ConfigMap "team-a/a": no owner; no team',
        violations: [{ checkId: "deny", detail: "no owner" }, { checkId: "deny" }],
      },
    ]);
    expect(denials(setOf(answering(() => [])))).toEqual([]);
  });

  it("shows the request as OPA and as Gatekeeper do, and the documents it is given", () => {
    let seen: RegoQuestion | undefined;
    const inventory = { documents: { inventory: {} }, problem: () => undefined };
    const set = setOf(
      answering((question) => {
        seen = question;
        return [];
      }),
      regoPolicy("p", { rego: lookingAtPods }),
    );
    set.evaluate(about(configMap(), { userInfo: { username: "jane", uid: undefined } }), {
      ...context,
      inventory,
    });
    expect(seen?.input).toEqual({
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      request: expect.objectContaining({
        object: configMap(),
        oldObject: null,
        operation: "CREATE",
        dryRun: false,
      }),
      review: expect.objectContaining({ kind: { group: "", version: "v1", kind: "ConfigMap" } }),
    });
    expect(JSON.stringify(seen?.input)).toContain('"userInfo":{"username":"jane"}');
    expect(seen?.data).toBe(inventory.documents);
    expect(seen?.context.nowNs).toBe(BigInt(newYear) * 1_000_000n);
  });

  it("leaves what could not be evaluated to its failurePolicy, and tells late from wrong", () => {
    const failing = answering(() => {
      throw new EvaluationError("eval_conflict_error", "two values", {
        location: { file: "policy.rego", row: 3, col: 4 },
      });
    });
    expect(denials(setOf(failing))).toMatchObject([
      {
        code: "EvaluationError",
        message: expect.stringContaining("line 3, column 4: two values (eval_conflict_error)"),
      },
    ]);
    const ignoring = setOf(failing, regoPolicy("p", { failurePolicy: "Ignore" })).evaluate(
      about(configMap()),
      context,
    );
    expect(ignoring).toMatchObject({ allowed: true, audits: [{ code: "EvaluationError" }] });
    let now = 0;
    const slow = answering(({ context: { isPastDeadline } }) => {
      now = 100;
      if (isPastDeadline?.()) throw new EvaluationError("eval_cancel_error", "the deadline has passed");
      return [];
    });
    const late = setOf(slow).evaluate(about(configMap()), {
      ...context,
      deadlineMs: 50,
      monotonicNow: () => now,
    });
    expect(late.denials).toMatchObject([{ code: "DeadlineExceeded" }]);
  });

  it("asks its matchConditions first", () => {
    const conditions = { matchConditions: [{ name: "a", expression: "object.metadata.name == 'a'" }] };
    const set = setOf(
      answering(() => ["no"]),
      regoPolicy("p", conditions),
    );
    expect(denials(set)).toHaveLength(1);
    expect(denials(set, about(configMap("b")))).toEqual([]);
    const broken = setOf(
      answering(() => []),
      regoPolicy("p", { matchConditions: [{ name: "a", expression: "1" }] }),
    );
    expect(broken.problems).toMatchObject([{ error: { path: "spec.matchConditions[0].expression" } }]);
  });

  it("honours exceptions", () => {
    const exception = shieldException("e", { policies: ["p"], match: { names: ["a"] } });
    const policies = [regoPolicy()];
    const rego = answering(() => ["no"]);
    const set = buildPolicySet({ policies, exceptions: [exception], serverMinor: 37, rego });
    expect(set.evaluate(about(configMap()), context)).toMatchObject({
      allowed: true,
      exempted: [{ policy: "p" }],
    });
  });

  it("never traps an object that is being deleted", () => {
    const set = setOf(answering(() => ["no"]));
    const deleting = configMap("a", { deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: ["x/y"] });
    const update = { operation: "UPDATE", oldObject: deleting };
    expect(
      denials(set, about({ ...deleting, metadata: { ...deleting.metadata, finalizers: [] } }, update)),
    ).toEqual([]);
    expect(denials(set, about(configMap(), { operation: "UPDATE", oldObject: configMap() }))).toHaveLength(1);
  });

  it("is held against objects that exist, but not where it looks at who asks", () => {
    const background = { actions: { admission: "off", background: "audit" } };
    const set = setOf(
      answering(() => ["no"]),
      regoPolicy("p", background),
    );
    const resource = { group: "", version: "v1", resource: "configmaps" };
    expect(set.judge(configMap(), { ...context, resource }).findings).toMatchObject([{ policy: "p" }]);
    const rego = { module: "package a\n\ndeny contains input.request.userInfo.username", version: "v1" };
    expect(
      setOf(
        answering(() => []),
        regoPolicy("p", { ...background, rego }),
      ).problems,
    ).toMatchObject([{ error: { path: "spec.actions.background" } }]);
  });
});

describe("a policy whose program comes of a bundle", () => {
  const bundled = (generation = 1, more: object = {}) =>
    regoPolicy(
      "p",
      { rego: { version: "v1", bundle: { url: "https://x.example.com/b" } }, ...more },
      generation,
    );
  const saying = (text: string): RegoPolicyState => ({
    kind: "ready",
    program: { entrypoint: "data.a.deny", rule: "deny", evaluate: () => [text] },
  });

  it("is judged by the newest that is ready, without a new generation", () => {
    const one = saying("one");
    const first = setOf(() => one, bundled());
    expect(setOf(() => one, bundled(), first).policy("p")).toBe(first.policy("p"));
    const second = setOf(() => saying("two"), bundled(), first);
    expect(denials(second)).toMatchObject([{ message: expect.stringContaining("two") }]);
    const meanwhile = setOf(() => ({ kind: "fetching" }), bundled(), second);
    expect(meanwhile.problems).toEqual([]);
    expect(denials(meanwhile)).toMatchObject([{ message: expect.stringContaining("two") }]);
  });

  it.each<[string, RegoPolicyState]>([
    ["BundlePending", { kind: "fetching" }],
    ["BundleFailed", { kind: "fetching", failure: "answers 404" }],
  ])("is not in force before it came: %s", (code, state) => {
    const { problems } = setOf(() => state, bundled());
    expect(problems).toMatchObject([{ error: { code, path: "spec.rego.bundle" }, keepsLastGood: false }]);
  });

  it("must pass the policy's tests each time", () => {
    const object = configMap();
    const expectation = { decision: "deny", message: "two" };
    const tests = [{ name: "a", operation: "CREATE", object, expect: expectation }];
    const policy = bundled(1, { tests });
    const failing = setOf(() => saying("one"), policy);
    expect(failing.problems).toMatchObject([{ error: { code: "TestsFailed" } }]);
    const two = saying("two");
    const passing = setOf(() => two, policy, failing);
    expect(passing.problems).toEqual([]);
    const third = setOf(() => saying("three"), policy, passing);
    expect(third.problems).toMatchObject([{ error: { code: "TestsFailed" }, keepsLastGood: true }]);
    expect(denials(third)).toMatchObject([{ message: expect.stringContaining("two") }]);
  });
});

describe("while a policy of engine rego is not compiled", () => {
  const before = setOf(answering(() => ["old"]));
  it.each<[string, RegoPolicyState]>([
    ["Compiling", { kind: "compiling" }],
    ["CompilerFailed", { kind: "compiling", failure: "no file" }],
    ["Invalid", { kind: "refused", problem: "line 1, column 1: no" }],
  ])("its last version stays in force: %s", (code, state) => {
    const after = setOf(() => state, regoPolicy("p", {}, 2), before);
    expect(after.problems).toMatchObject([
      { name: "p", keepsLastGood: true, error: { code, path: "spec.rego.module" } },
    ]);
    expect(after.kept).toMatchObject([{ name: "p", generation: 1, calls: { engine: "rego" } }]);
    expect(denials(after)).toMatchObject([{ message: expect.stringContaining("old") }]);
    const mended = setOf(
      answering(() => ["new"]),
      regoPolicy("p", {}, 2),
      after,
    );
    expect(mended.problems).toEqual([]);
    expect(denials(mended)).toMatchObject([{ message: expect.stringContaining("new") }]);
  });

  it.each<[string, object, string]>([
    ["spec.matchConstraints.resourceRules", { matchConstraints: {} }, "Required"],
    [
      "spec.matchConstraints.resourceRules",
      {
        matchConstraints: {
          resourceRules: [
            { apiGroups: ["*"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] },
          ],
        },
      },
      "Invalid",
    ],
    ["spec.evaluation", { evaluation: "Native" }, "Invalid"],
    [
      "spec.rego.allowedHosts[1]",
      { rego: { module: "package a", allowedHosts: ["x", "0x7f.1"] } },
      "Invalid",
    ],
    ["spec.rego.module", { rego: {} }, "Required"],
    ["spec.validations", { validations: [{ expression: "true" }] }, "Invalid"],
  ])("refuses %s", (path, spec, code) => {
    expect(
      setOf(
        answering(() => []),
        regoPolicy("p", spec),
      ).problems,
    ).toMatchObject([{ error: { path, code } }]);
  });
});
