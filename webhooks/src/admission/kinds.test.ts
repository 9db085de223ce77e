import { ApiError, type Client, TransportError } from "@shieldx/controller-runtime";
import { parseShieldPolicy } from "@shieldx/crds";
import { buildPolicySet, type RegoPolicyState } from "@shieldx/policy-engine";
import { describe, expect, it } from "vitest";
import type { AdmissionRequest } from "../server/admission-review.ts";
import { dryRunChecker, type ExpressionCheck } from "./expression-check.ts";
import { kindHandler } from "./kinds.ts";

const namespace = (name: string) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } });

const now = Date.UTC(2027, 0, 1);
const context = { deadlineMs: 2_000, leaf: "", remoteAddress: "" };
const dryRun = { verb: "create", resource: "validatingadmissionpolicies" };

const celSpec = {
  engine: "cel",
  matchConstraints: {
    resourceRules: [
      { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] },
    ],
  },
  matchConditions: [{ name: "mine", expression: "true" }],
  validations: [{ expression: "object.data.size() < 3", messageExpression: "'too many'" }],
  actions: { admission: "deny" },
};
const policy = (spec: object = celSpec) => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldPolicy",
  metadata: { name: "baseline", uid: "u" },
  spec,
});
const podSecurity = {
  engine: "podSecurity",
  podSecurity: { level: "baseline" },
  actions: { admission: "deny" },
};
const exception = (spec: object = {}) => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldException",
  metadata: { name: "mine", namespace: "default", creationTimestamp: "2027-01-01T00:00:00Z" },
  spec: {
    policies: ["baseline"],
    owner: "team-a",
    reason: "needed until the driver is replaced",
    expiresAt: "2027-01-01T12:00:00Z",
    match: { names: ["web"] },
    ...spec,
  },
});

function request(object: { kind: string }, more: Partial<AdmissionRequest> = {}): AdmissionRequest {
  return {
    uid: "1",
    kind: { group: "shieldx.io", version: "v1alpha1", kind: object.kind },
    resource: { group: "shieldx.io", version: "v1alpha1", resource: `${object.kind.toLowerCase()}s` },
    operation: "CREATE",
    userInfo: {},
    object,
    ...(object.kind === "ShieldException" ? { namespace: "default" } : {}),
    ...more,
  };
}

function setUp(
  check: ExpressionCheck = { result: "good" },
  rego: RegoPolicyState = { kind: "compiling" },
  serverMinor = 37,
) {
  const allowing = { namespaces: { names: ["default"] }, maxDuration: "24h" };
  const set = buildPolicySet({
    policies: [parseShieldPolicy(policy({ ...podSecurity, exceptions: allowing }))],
    exceptions: [],
    serverMinor: 37,
  });
  let checks = 0;
  const handler = kindHandler({
    policySet: () => set,
    findNamespace: async (name) => namespace(name),
    serverMinor: () => serverMinor,
    checkExpressions: async () => {
      checks++;
      return check;
    },
    rego: { prepare: async () => rego, state: () => rego },
    policiesIn: () => [],
    neverJudged: ["shieldx-system"],
    findReadable: async () => ({ problems: [], unknown: [] }),
    now: () => now,
  });
  return { ask: async (asked: AdmissionRequest) => handler(asked, context), checks: () => checks };
}

describe("what must always pass", () => {
  const broken = policy({ ...celSpec, engine: "nonsense" });
  const deleting = { ...broken, metadata: { ...broken.metadata, deletionTimestamp: "2027-01-01T00:00:00Z" } };
  it.each([
    ["a deletion", request(broken, { operation: "DELETE", oldObject: broken, object: undefined })],
    ["a status update", request(broken, { operation: "UPDATE", subResource: "status", oldObject: policy() })],
    [
      "an update that leaves spec alone",
      request({ ...broken, metadata: { name: "b" } } as never, { operation: "UPDATE", oldObject: broken }),
    ],
    [
      "an update of what is being deleted",
      request(deleting, { operation: "UPDATE", oldObject: { ...deleting, spec: {} } }),
    ],
    ["a kind without rules", request({ kind: "Widget" })],
  ])("%s", async (_, asked) => {
    expect(await setUp().ask(asked)).toMatchObject({ allowed: true });
  });
});

describe("ShieldPolicies", () => {
  it("are refused when they cannot be compiled, naming the field", async () => {
    const answer = await setUp().ask(request(policy({ ...podSecurity, podSecurity: { level: "paranoid" } })));
    expect(answer).toMatchObject({ allowed: false, status: { code: 422, reason: "Invalid" } });
    expect(answer.status?.message).toMatch(/spec\.podSecurity\.level/);
    const later = await setUp().ask(request(policy({ ...podSecurity, evaluation: "Native" })));
    expect(later.status?.message).toMatch(/not yet supported/);
  });

  it("are refused when their own tests fail, naming the case", async () => {
    const object = { apiVersion: "v1", kind: "ConfigMap", data: { a: "", b: "", c: "" } };
    const withTest = (decision: string) =>
      policy({ ...celSpec, tests: [{ name: "full", object, expect: { decision } }] });
    const refused = await setUp().ask(request(withTest("allow")));
    expect(refused).toMatchObject({ allowed: false, status: { code: 422 } });
    expect(refused.status?.message).toMatch(
      /spec\.tests\[0\]: case "full": expected it to be allowed, but it was denied: .*too many/,
    );
    expect(await setUp().ask(request(withTest("deny")))).toEqual({ allowed: true });
  });

  it("are shown to the API server only when it will evaluate them", async () => {
    const bed = setUp();
    expect(await bed.ask(request(policy(podSecurity)))).toEqual({ allowed: true });
    expect(await bed.ask(request(policy({ ...celSpec, actions: { admission: "off" } })))).toEqual({
      allowed: true,
    });
    expect(bed.checks()).toBe(0);
    expect(await bed.ask(request(policy()))).toEqual({ allowed: true });
    expect(bed.checks()).toBe(1);
  });

  it("are looked at here where the API server lacks what they call, and refused where only that could judge", async () => {
    const calling = (expression: string, more: object = {}) =>
      request(policy({ ...celSpec, validations: [{ expression }], ...more }));
    const old = setUp(undefined, undefined, 34);
    const distinct = "object.data.l.distinct().size() == 1";
    expect(await old.ask(calling(distinct))).toEqual({ allowed: true });
    expect(await old.ask(calling(distinct, { evaluation: "Webhook" }))).toEqual({ allowed: true });
    expect(await old.ask(calling(distinct, { actions: { admission: "off" } }))).toEqual({ allowed: true });
    expect(old.checks()).toBe(0);
    const [rule] = celSpec.matchConstraints.resourceRules;
    const matchConstraints = { resourceRules: [{ ...rule, resources: ["*"] }] };
    for (const more of [{ evaluation: "Native" }, { matchConstraints }]) {
      const refused = await old.ask(calling(distinct, more));
      expect(refused.status?.message).toBe(
        "spec.validations[0].expression calls distinct, which came with Kubernetes 1.34 and which API servers take in policies from 1.35 on; this one is 1.34: use evaluation Auto or Webhook, and name what the policy is about, in at most 1000 combinations",
      );
    }
    expect(old.checks()).toBe(0);
    expect(await old.ask(calling("object.data.n == '1'"))).toEqual({ allowed: true });
    expect(old.checks()).toBe(1);
    const newer = setUp(undefined, undefined, 35);
    expect(await newer.ask(calling(distinct, { evaluation: "Native" }))).toEqual({ allowed: true });
    expect(newer.checks()).toBe(1);
  });

  it("pass with a warning when the API server cannot be asked", async () => {
    const answer = await setUp({ result: "unknown", why: "timeout" }).ask(request(policy()));
    expect(answer).toEqual({
      allowed: true,
      warnings: ["the expressions could not be checked now: timeout"],
    });
  });

  it("in Rego are refused with what the compiler says, and pass with a warning where it has not said it", async () => {
    const { matchConstraints, actions } = celSpec;
    const asked = request(
      policy({ engine: "rego", matchConstraints, actions, rego: { module: "package a" } }),
    );
    const problem = "line 3, column 22: var y is unsafe (rego_unsafe_var_error)";
    const refused = await setUp(undefined, { kind: "refused", problem }).ask(asked);
    expect(refused).toMatchObject({
      allowed: false,
      status: { code: 422, message: `spec.rego.module: ${problem}` },
    });
    const program = { entrypoint: "data.a.deny", rule: "deny", evaluate: () => [] };
    expect(await setUp(undefined, { kind: "ready", program }).ask(asked)).toEqual({ allowed: true });
    for (const failure of [undefined, "no compiler"]) {
      const { allowed, warnings } = await setUp(undefined, { kind: "compiling", failure }).ask(asked);
      expect(allowed).toBe(true);
      expect(warnings).toEqual([
        expect.stringContaining("the policy's conditions will tell: spec.rego.module"),
      ]);
    }
  });

  it("are refused with every problem it names", async () => {
    const answer = await setUp({ result: "broken", problems: ["spec.a: x", "spec.b: y"] }).ask(
      request(policy()),
    );
    expect(answer.status?.message).toBe("spec.a: x; spec.b: y");
  });
});

describe("ShieldExceptions", () => {
  it.each([
    ["too long", { expiresAt: "2027-01-03T00:00:00Z" }, /^spec\.expiresAt: .*24 h/],
    ["over", { expiresAt: "2026-12-31T00:00:00Z" }, /^spec\.expiresAt: .*has passed/],
    ["malformed", { owner: 7 }, /spec\.owner/],
  ])("are refused when %s", async (_, spec, message) => {
    const answer = await setUp().ask(request(exception(spec)));
    expect(answer.status?.message).toMatch(message);
  });

  it("are refused where they cover nothing, and warned about where kinds are in no namespace", async () => {
    const bed = setUp();
    const kinds = (...names: string[]) => bed.ask(request(exception({ match: { kinds: names } })));
    const refused = await kinds("Namespace");
    expect(refused.status?.message).toMatch(
      /^spec\.match\.kinds: .*nothing .* is in one: .* policy "baseline"/,
    );
    expect(await kinds("Pod", "Namespace", "Node")).toEqual({
      allowed: true,
      warnings: ["spec.match.kinds: Namespace, Node: what is in no namespace is not covered"],
    });
    expect(await kinds("Pod")).toEqual({ allowed: true });
  });

  it("are refused from namespaces the policy does not list", async () => {
    const answer = await setUp().ask(request(exception(), { namespace: "elsewhere" }));
    expect(answer.status?.message).toMatch(/^spec\.policies\[0\]: .*"elsewhere"/);
  });

  it("may be ended early, and may name policies that come later", async () => {
    const bed = setUp();
    expect(await bed.ask(request(exception()))).toEqual({ allowed: true });
    const ended = request(exception({ expiresAt: "2026-12-31T00:00:00Z" }), {
      operation: "UPDATE",
      oldObject: exception(),
    });
    expect(await bed.ask(ended)).toMatchObject({
      allowed: true,
      warnings: [expect.stringContaining("at once")],
    });
    expect(await bed.ask(request(exception({ policies: ["later"] })))).toMatchObject({
      allowed: true,
      warnings: [expect.stringContaining('no ShieldPolicy "later"')],
    });
  });
});

describe("the dry run", () => {
  const parsed = parseShieldPolicy(policy());
  const answering = (answer: () => unknown) => {
    const sent: { object: unknown; options: unknown }[] = [];
    const create = async (_: unknown, object: unknown, options: unknown) => {
      sent.push({ object, options });
      return answer();
    };
    return { sent, check: dryRunChecker({ create } as unknown as Client) };
  };
  const failing = (error: Error) =>
    answering(() => {
      throw error;
    });

  it("stores nothing and sends only what the user wrote, in the user's order", async () => {
    const { sent, check } = answering(() => ({}));
    expect(await check(parsed, 1_000)).toEqual({ result: "good" });
    expect(sent[0]!.options).toMatchObject({ dryRun: true, timeoutMs: 1_000 });
    expect(sent[0]!.object).toMatchObject({
      metadata: { generateName: "shieldx-dry-run-" },
      spec: { matchConditions: celSpec.matchConditions, validations: celSpec.validations },
    });
    expect(sent[0]!.object).not.toHaveProperty("metadata.ownerReferences");
  });

  it("turns cel-go's picture of a position into words", async () => {
    const message =
      "Invalid value: \"a <\": compilation failed: ERROR: <input>:2:13: Syntax error: mismatched input '<EOF>'\n | a <\n | ...^";
    const error = new ApiError(dryRun, 422, {
      reason: "Invalid",
      details: {
        causes: [
          { field: "spec.validations[0].expression", message },
          { field: "spec.x", message: "Required\nvalue" },
        ],
      },
    });
    expect(await failing(error).check(parsed, 1)).toEqual({
      result: "broken",
      problems: [
        "spec.validations[0].expression: line 2, column 13: Syntax error: mismatched input '<EOF>'",
        "spec.x: Required value",
      ],
    });
    const bare = new ApiError(dryRun, 422, { reason: "Invalid", message: "no" });
    expect(await failing(bare).check(parsed, 1)).toEqual({ result: "broken", problems: ["no"] });
  });

  it("does not hold the server's or the network's trouble against the policy", async () => {
    for (const error of [
      new ApiError(dryRun, 403, {}),
      new ApiError(dryRun, 500, {}),
      new TransportError("Timeout", dryRun, "late"),
    ]) {
      expect(await failing(error).check(parsed, 1)).toMatchObject({ result: "unknown", why: error.message });
    }
    await expect(failing(new TypeError("bug")).check(parsed, 1)).rejects.toThrow("bug");
  });
});
