import type { ShieldPolicy } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { admissionRequest, celPolicy, newYear, shieldException } from "../../../testing/objects.ts";
import { explainPolicy } from "../../explain/index.ts";
import { buildPolicySet } from "../build.ts";
import { type EvaluationContext, PolicySet } from "../policy-set.ts";
import type { AdmissionRequestLike } from "../request.ts";

const context: EvaluationContext = { namespaceLabels: {}, now: newYear };
const configMap = (metadata: object = {}, more: object = {}) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "c", namespace: "team-a", ...metadata },
  ...more,
});
const inWebhook = (name: string, spec: Partial<ShieldPolicy["spec"]> = {}) =>
  celPolicy(name, { evaluation: "Webhook", ...spec });
const setOf = (...policies: ShieldPolicy[]) => buildPolicySet({ policies, exceptions: [], serverMinor: 37 });
const everything: NonNullable<ShieldPolicy["spec"]["matchConstraints"]> = {
  matchPolicy: "Equivalent",
  resourceRules: [
    { apiGroups: [""], apiVersions: ["v1"], operations: ["*"], resources: ["configmaps", "namespaces"] },
  ],
};
const deny = [{ expression: "false", message: "never" }];

describe("a policy of engine cel evaluated here", () => {
  it("refuses what breaks it, in the words of its message, and lets the rest pass", () => {
    const set = setOf(inWebhook("owned"));
    const refused = set.evaluate(admissionRequest(configMap()), context);
    expect(refused.denials).toMatchObject([
      {
        policy: "owned",
        code: "PolicyViolation",
        message: 'ShieldPolicy "owned" refuses ConfigMap "team-a/c": label it with an owner',
        violations: [{ checkId: "validations[0]", reason: "Invalid", detail: "label it with an owner" }],
        statusReason: "Invalid",
      },
    ]);
    const labelled = configMap({ labels: { owner: "x" } });
    expect(set.evaluate(admissionRequest(labelled), context)).toMatchObject({
      allowed: true,
      matched: ["owned"],
    });
  });

  it("is left to the API server when it is native, and then not even compiled", () => {
    const broken = celPolicy("n", { validations: [{ expression: "this is no CEL" }] });
    expect(setOf(broken).problems).toEqual([]);
    expect(setOf(broken).evaluate(admissionRequest(configMap()), context).matched).toEqual([]);
  });

  it("is judged here until its status says that the API server has taken over", () => {
    const policy = (enforcedBy: "Webhook" | "Native", expression = "false"): ShieldPolicy => ({
      ...celPolicy("h", { validations: [{ expression, message: "never" }] }),
      status: { enforcedBy },
    });
    const before = setOf(policy("Webhook"));
    expect(before.evaluate(admissionRequest(configMap()), context).allowed).toBe(false);
    const after = buildPolicySet({
      policies: [policy("Native")],
      exceptions: [],
      serverMinor: 37,
      previous: before,
    });
    // A replica that has not read the status yet is told from one that has.
    expect(after.digest).not.toBe(before.digest);
    expect(after.evaluate(admissionRequest(configMap()), context).matched).toEqual([]);
    expect(setOf(policy("Webhook", "only the server knows(")).problems).toEqual([]);
  });

  it("names the field and the place of an expression that cannot be compiled", () => {
    const { problems } = setOf(inWebhook("b", { validations: [{ expression: "object.x ==" }] }));
    expect(problems[0]?.error.path).toBe("spec.validations[0].expression");
    expect(problems[0]?.error.message).toMatch(/line 1, column \d+/);
  });

  it("is not about requests its matchConditions leave out", () => {
    const matchConditions = [{ name: "not-alice", expression: "request.userInfo.username != 'alice'" }];
    const set = setOf(inWebhook("m", { matchConditions, validations: deny }));
    const alice = { userInfo: { username: "alice" } };
    expect(set.evaluate(admissionRequest(configMap(), alice), context).matched).toEqual([]);
    expect(set.evaluate(admissionRequest(configMap()), context).allowed).toBe(false);
  });

  it("follows failurePolicy when an expression comes to no answer", () => {
    const validations = [{ expression: "object.data.missing == 'x'" }];
    const fails = setOf(inWebhook("f", { validations })).evaluate(admissionRequest(configMap()), context);
    expect(fails.denials).toMatchObject([{ code: "EvaluationError", message: /no such key: data/ }]);
    const ignores = setOf(inWebhook("i", { validations, failurePolicy: "Ignore" }));
    const verdict = ignores.evaluate(admissionRequest(configMap()), context);
    expect(verdict).toMatchObject({ allowed: true, audits: [{ code: "EvaluationError" }] });
  });

  it("tells of a matchCondition that comes to no answer, which failurePolicy Ignore lets pass", () => {
    const matchConditions = [{ name: "m", expression: "object.data.missing == 'x'" }];
    const verdictOf = (failurePolicy: "Fail" | "Ignore") =>
      setOf(inWebhook("c", { matchConditions, validations: deny, failurePolicy })).evaluate(
        admissionRequest(configMap()),
        context,
      );
    expect(verdictOf("Fail").denials).toMatchObject([{ code: "EvaluationError" }]);
    expect(verdictOf("Ignore")).toMatchObject({
      allowed: true,
      denials: [],
      audits: [{ code: "EvaluationError", message: /no such key: data/ }],
      matched: ["c"],
    });
  });

  it("asks the authorizer first, and decides by what it says", () => {
    const expression =
      "authorizer.group('').resource('configmaps').namespace('team-a').check('get').allowed()";
    const set = setOf(inWebhook("a", { validations: [{ expression, message: "may not" }] }));
    const request = admissionRequest(configMap());
    const unknown = set.evaluate(request, { ...context, authorize: () => undefined });
    expect(unknown.asks).toMatchObject([
      { policy: "a", check: { kind: "resource", verb: "get", resource: "configmaps" } },
    ]);
    const answered = (allowed: boolean) =>
      set.evaluate(request, { ...context, authorize: () => ({ allowed, reason: "" }) });
    expect(answered(true)).toMatchObject({ allowed: true, asks: [] });
    expect(answered(false).denials[0]?.message).toContain("may not");
  });

  it("gives the audit log what the policy wants it to hold", () => {
    const auditAnnotations = [{ key: "size", valueExpression: "string(size(object.metadata.name))" }];
    const set = setOf(inWebhook("an", { auditAnnotations, validations: [{ expression: "true" }] }));
    const { annotations } = set.evaluate(admissionRequest(configMap()), context);
    expect([...annotations]).toEqual([["an_size", ["1"]]]);
  });

  it("sees the namespace of the request", () => {
    const validations = [{ expression: "namespaceObject.metadata.labels.team == 'blue'" }];
    const namespaceObject = { metadata: { name: "team-a", labels: { team: "blue" } } };
    const set = setOf(inWebhook("ns", { validations }));
    expect(set.evaluate(admissionRequest(configMap()), { ...context, namespaceObject }).allowed).toBe(true);
  });

  it("honours exceptions, also for deletions, and none for single checks", () => {
    const policy = inWebhook("p", { validations: deny, matchConstraints: everything });
    const evaluate = (spec: object, request: AdmissionRequestLike) =>
      buildPolicySet({
        policies: [policy],
        exceptions: [shieldException("e", { match: { names: ["c"] }, ...spec })],
        serverMinor: 37,
      }).evaluate(request, context);
    const create = admissionRequest(configMap());
    const remove = admissionRequest(configMap(), {
      operation: "DELETE",
      object: null,
      oldObject: configMap(),
    });
    expect(evaluate({}, create)).toMatchObject({ allowed: true, exempted: [{ exception: "team-a/e" }] });
    expect(evaluate({}, remove).allowed).toBe(true);
    expect(evaluate({ checks: ["privileged"] }, create).allowed).toBe(false);
  });

  it("sets an exception above an expression that has no value, as the rendered conditions do", () => {
    const policy = inWebhook("p", { validations: [{ expression: "object.data.owner != ''" }] });
    const exceptions = [shieldException("e", { match: { names: ["c"] } })];
    const set = buildPolicySet({ policies: [policy], exceptions, serverMinor: 37 });
    expect(set.evaluate(admissionRequest(configMap()), context)).toMatchObject({
      allowed: true,
      exempted: [{ exception: "team-a/e" }],
    });
  });

  describe("of which one validation is broken and another has no value", () => {
    const validations = [
      { expression: "false", message: "first" },
      { expression: "object.data.owner != ''" },
    ];
    const evaluate = (...exceptions: ReturnType<typeof shieldException>[]) =>
      buildPolicySet({ policies: [inWebhook("p", { validations })], exceptions, serverMinor: 37 }).evaluate(
        admissionRequest(configMap()),
        context,
      );
    const exception = (name: string, checks?: string[]) =>
      shieldException(name, { match: { names: ["c"] }, ...(checks && { checks }) } as object);
    const forFirst = exception("first", ["validations[0]"]);

    it("is refused for the one that is broken", () => {
      expect(evaluate().denials).toMatchObject([{ code: "PolicyViolation" }]);
    });

    it("does not pass by an exception for that one alone", () => {
      expect(evaluate(forFirst)).toMatchObject({
        denials: [{ code: "EvaluationError", message: expect.stringContaining("no such key: data") }],
        exempted: [{ exception: "team-a/first" }],
      });
    });

    it("passes by one for the whole policy, which is told once", () => {
      const byWhole = evaluate(exception("whole"));
      expect(byWhole.allowed).toBe(true);
      expect(byWhole.exempted).toHaveLength(1);
      const { allowed, exempted } = evaluate(forFirst, exception("whole"));
      expect(allowed).toBe(true);
      expect(exempted).toMatchObject([{ exception: "team-a/whole", violations: [{ detail: "first" }] }]);
    });

    it("is told of both by one that lets pass what cannot be told", () => {
      const policy = inWebhook("p", { validations, failurePolicy: "Ignore" });
      const set = buildPolicySet({ policies: [policy], exceptions: [forFirst], serverMinor: 37 });
      expect(set.evaluate(admissionRequest(configMap()), context)).toMatchObject({
        allowed: true,
        audits: [{ code: "EvaluationError" }],
      });
    });
  });

  it("tells what only ran out of time from what has no value", () => {
    const names = Array.from({ length: 99 }, (_, at) => `'${at}'`).join();
    const expression = `[${names}].all(a, [${names}].all(b, a + b != ''))`;
    const set = setOf(inWebhook("s", { validations: [{ expression }, { expression: "true" }] }));
    let now = 0;
    const time = { deadlineMs: 5, monotonicNow: () => now++ };
    const { denials } = set.evaluate(admissionRequest(configMap()), { ...context, ...time });
    expect(denials).toMatchObject([
      { code: "DeadlineExceeded", message: expect.stringContaining("time ran out; try again") },
    ]);
  });

  it("judges an object in the version its own rules name, whatever other policies name", () => {
    const named = (name: string, apiVersions: string[], matchPolicy: "Equivalent" | "Exact" = "Equivalent") =>
      inWebhook(name, {
        validations: deny,
        matchConstraints: {
          matchPolicy,
          resourceRules: [
            { apiGroups: ["x.io"], apiVersions, operations: ["CREATE"], resources: ["things"] },
          ],
          excludeResourceRules: [],
        },
      });
    const set = setOf(
      named("one", ["v1"]),
      named("two", ["v2"]),
      named("both", ["v1", "v2"]),
      named("exact", ["v2"], "Exact"),
    );
    const thing = (version: string) => ({ group: "x.io", version, resource: "things" });
    const asked = (resource: string, requestResource: string) =>
      set.evaluate(
        admissionRequest(configMap(), { resource: thing(resource), requestResource: thing(requestResource) }),
        context,
      ).matched;
    expect(asked("v1", "v1")).toEqual(["both", "one"]);
    expect(asked("v2", "v2")).toEqual(["both", "exact", "two"]);
    // The call of an entry for v1, about a request in v2: "both" and "exact" are asked in v2.
    expect(asked("v1", "v2")).toEqual(["one"]);
  });

  it("takes a namespace that could not be looked up for none only where there is none", () => {
    const validations = [{ expression: "namespaceObject == null || namespaceObject.metadata.name != 'x'" }];
    const set = setOf(inWebhook("ns", { validations, matchConstraints: everything }));
    const unknown = set.evaluate(admissionRequest(configMap()), context);
    expect(unknown.denials).toMatchObject([{ code: "NamespaceUnknown" }]);
    const namespaces = { group: "", version: "v1", resource: "namespaces" };
    expect(set.evaluate(admissionRequest(configMap(), { resource: namespaces }), context).allowed).toBe(true);
  });

  it("keeps names of audit annotations apart, and short enough", () => {
    const of = (name: string, key: string) =>
      inWebhook(name, {
        auditAnnotations: [{ key, valueExpression: "'x'" }],
        validations: [{ expression: "true" }],
      });
    const set = setOf(of("a", "b.c"), of("a.b", "c"), of("p".repeat(60), "k".repeat(60)));
    const keys = [...set.evaluate(admissionRequest(configMap()), context).annotations.keys()];
    expect(new Set(keys).size).toBe(3);
    expect(Math.max(...keys.map((key) => key.length))).toBeLessThanOrEqual(63);
  });

  it("never traps: a namespace can be emptied, finalizers can go, what is ours is left alone", () => {
    const set = setOf(inWebhook("all", { validations: deny, matchConstraints: everything }));
    const ask = (change: Partial<AdmissionRequestLike>) =>
      set.evaluate(admissionRequest(configMap(), change), context).allowed;
    const gone = { object: null, oldObject: configMap() };
    expect(ask({ operation: "DELETE", ...gone })).toBe(false);
    const cleaner = { username: "system:serviceaccount:kube-system:namespace-controller" };
    expect(ask({ operation: "DELETE", ...gone, userInfo: cleaner })).toBe(true);
    const ending = { object: null, oldObject: configMap({ deletionTimestamp: "2026-01-01T00:00:00Z" }) };
    expect(ask({ operation: "DELETE", ...ending })).toBe(true);
    const going = (more: object, data: string) =>
      configMap({ deletionTimestamp: "2026-01-01T00:00:00Z", ...more }, { data: { a: data } });
    const before = going({ finalizers: ["x"] }, "1");
    expect(ask({ operation: "UPDATE", oldObject: before, object: going({}, "1") })).toBe(true);
    expect(ask({ operation: "UPDATE", oldObject: before, object: going({}, "2") })).toBe(false);
    // Deeper than expressions compare: whatever is nested in it, it can go.
    const deep = (more: object) => going(more, JSON.parse(`${"[".repeat(9_000)}${"]".repeat(9_000)}`));
    expect(ask({ operation: "UPDATE", oldObject: deep({ finalizers: ["x"] }), object: deep({}) })).toBe(true);
    expect(ask({ namespace: "kube-system" })).toBe(true);
    const namespaces = { group: "", version: "v1", resource: "namespaces" };
    expect(ask({ operation: "DELETE", ...gone, resource: namespaces })).toBe(true);
    expect(ask({ operation: "CREATE", resource: namespaces })).toBe(false);
  });

  it("is in error by itself where it cannot tell whether a request must pass", () => {
    const broken = (name: string, spec: Partial<ShieldPolicy["spec"]> = {}) => {
      const [policy] = setOf(inWebhook(name, { matchConstraints: everything, ...spec })).policies;
      if (policy === undefined) throw new Error("it does not compile");
      const mustPass = () => {
        throw new Error("broken");
      };
      return { ...policy, judge: { ...policy.judge, mustPass } };
    };
    const evaluate = (...policies: ReturnType<typeof broken>[]) =>
      new PolicySet({
        policies,
        exceptions: [],
        members: [],
        kept: [],
        problems: [],
        serverMinor: 37,
      }).evaluate(admissionRequest(configMap()), context);
    const elsewhere = { ...everything, namespaceSelector: { matchLabels: { team: "other" } } };
    const verdict = evaluate(
      broken("denies"),
      broken("elsewhere", { matchConstraints: elsewhere }),
      broken("ignores", { failurePolicy: "Ignore" }),
    );
    expect(verdict.denials).toMatchObject([{ policy: "denies", code: "InternalError", message: /broken/ }]);
    expect(verdict.audits).toMatchObject([{ policy: "ignores", code: "InternalError" }]);
    const policy = broken("explained");
    expect(
      explainPolicy({ policy, exceptions: [], request: admissionRequest(configMap()), context }),
    ).toMatchObject({ conclusion: "fails", isRefused: true, why: /internal error: .*broken/ });
  });

  it("is held against objects that exist", () => {
    const set = setOf(celPolicy("audited", { actions: { admission: "deny", background: "audit" } }));
    const resource = { group: "", version: "v1", resource: "configmaps" };
    const found = set.judge(configMap(), { ...context, resource });
    expect(found.findings).toMatchObject([
      { policy: "audited", violations: [{ checkId: "validations[0]", detail: "label it with an owner" }] },
    ]);
    expect(set.judge(configMap({ labels: { owner: "x" } }), { ...context, resource }).findings).toEqual([]);
    expect(set.judge(configMap(), context).matched).toEqual([]);
  });

  it("reads nothing from a prototype, polluted or not", () => {
    const found = ["data", "polluted", "constructor", "__proto__", "toString"];
    const validations = found.map((key) => ({
      expression: `!has(object.${key}) && !('${key}' in object)`,
    }));
    const set = setOf(inWebhook("proto", { validations }));
    const judge = () => set.evaluate(admissionRequest(configMap()), context);
    expect(set.problems).toEqual([]);
    expect(judge().denials).toEqual([]);
    try {
      for (const key of ["data", "polluted"])
        Object.defineProperty(Object.prototype, key, { value: {}, configurable: true, writable: true });
      expect(judge().denials.length).toBe(0);
    } finally {
      for (const key of ["data", "polluted"]) delete (Object.prototype as Record<string, unknown>)[key];
    }
  });

  it("takes neither wildcards nor more calls than fit", () => {
    const rule = { apiGroups: ["*"], apiVersions: ["v1"], operations: ["*" as const], resources: ["pods"] };
    const constraints = (more: object) => ({
      matchPolicy: "Equivalent" as const,
      resourceRules: [{ ...rule, ...more }],
    });
    const problem = (spec: Partial<ShieldPolicy["spec"]>) => setOf(inWebhook("x", spec)).problems[0]?.error;
    expect(problem({ matchConstraints: constraints({}) })?.message).toMatch(/no \* in apiGroups/);
    const many = Array.from({ length: 64 }, (_, i) => `r${i}`);
    const groups = Array.from({ length: 32 }, (_, i) => `g${i}.io`);
    const big = constraints({ apiGroups: groups, resources: many });
    expect(problem({ matchConstraints: big })?.message).toMatch(/2048 combinations/);
    const roles = constraints({ apiGroups: ["rbac.authorization.k8s.io"] });
    expect(problem({ matchConstraints: roles })?.message).toMatch(
      /brought back with: leave it out, or use Native/,
    );
  });
});

describe("a policy with parameters", () => {
  const limit = inWebhook("limit", {
    actions: { admission: "deny", background: "audit" },
    paramKind: { apiVersion: "v1", kind: "ConfigMap" },
    paramRef: { selector: {}, parameterNotFoundAction: "Deny" },
    validations: [
      {
        expression: "params.data.owner in object.metadata.?labels.orValue({})",
        messageExpression: "'asks for ' + params.data.owner",
      },
    ],
  });
  const lookUp = (...owners: string[]) => ({
    params: () => ({
      state: "known" as const,
      isNamespaced: true,
      get: () => undefined,
      list: () => owners.map((owner) => ({ metadata: { name: owner }, data: { owner } })),
    }),
  });

  it("is held against each of them, on requests and on what exists", () => {
    const set = setOf(limit);
    expect(set.problems).toEqual([]);
    const asked = { ...context, ...lookUp("b", "a", "c") };
    const object = configMap({ labels: { b: "x" } });
    const [denial] = set.evaluate(admissionRequest(object), asked).denials;
    expect(denial?.violations.map(({ detail }) => detail)).toEqual(["asks for a", "asks for c"]);
    const resource = { group: "", version: "v1", resource: "configmaps" };
    expect(set.judge(object, { ...asked, resource }).findings).toMatchObject([
      { violations: [{ detail: "asks for a" }, { detail: "asks for c" }] },
    ]);
    expect(set.evaluate(admissionRequest(object), { ...context, ...lookUp("b") }).allowed).toBe(true);
  });

  it("fails where there are none, or they are not known", () => {
    const set = setOf(limit);
    const problem = (more: object) =>
      set.evaluate(admissionRequest(configMap()), { ...context, ...more }).denials[0];
    expect(problem(lookUp())).toMatchObject({
      code: "EvaluationError",
      message: expect.stringContaining("no params found for policy binding with `Deny`"),
    });
    expect(problem({})?.message).toContain("there is no cluster to look for parameters in");
  });
});
