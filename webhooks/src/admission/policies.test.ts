import { setImmediate } from "node:timers/promises";
import type { ObjectReference } from "@shieldx/controller-runtime";
import { parseShieldException, parseShieldPolicy } from "@shieldx/crds";
import { buildPolicySet, type PolicySet } from "@shieldx/policy-engine";
import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import type { AdmissionRequest } from "../server/admission-review.ts";
import { metric } from "../server/server.test-kit.ts";
import { AdmissionMetrics } from "./metrics.ts";
import { policyHandler } from "./policies.ts";
import { probeHandler } from "./probe.ts";
import { refusalTeller } from "./refusals.ts";

const namespace = (name: string) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } });

const context = { deadlineMs: 5_000, leaf: "ab".repeat(32), remoteAddress: "10.0.0.1" };
const now = Date.UTC(2027, 0, 1);

function policy(name: string, spec: object = {}) {
  return parseShieldPolicy({
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldPolicy",
    metadata: { name, uid: name, generation: 1 },
    spec: {
      engine: "podSecurity",
      podSecurity: { level: "baseline" },
      actions: { admission: "deny" },
      exceptions: { namespaces: { names: ["default"] }, maxDuration: "24h" },
      ...spec,
    },
  });
}

const exception = parseShieldException({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldException",
  metadata: { name: "allowed", namespace: "default", creationTimestamp: "2027-01-01T00:00:00Z" },
  spec: {
    policies: ["baseline"],
    owner: "team-a",
    reason: "needed until the driver is replaced",
    expiresAt: "2027-01-01T12:00:00Z",
    match: { names: ["excepted"] },
  },
});

const bad = (metadata: object = {}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "bad", ...metadata },
  spec: { hostNetwork: true, containers: [{ name: "a", image: "a" }] },
});

function request(object: object, more: Partial<AdmissionRequest> = {}): AdmissionRequest {
  return {
    uid: "1",
    kind: { group: "", version: "v1", kind: "Pod" },
    resource: { group: "", version: "v1", resource: "pods" },
    name: (object as { metadata: { name: string } }).metadata.name,
    namespace: "default",
    operation: "CREATE",
    userInfo: { username: "alice", groups: [] },
    object,
    ...more,
  };
}

function setUp(set: PolicySet | undefined, failurePolicy: "Fail" | "Ignore" = "Fail") {
  const registry = new Registry();
  const metrics = new AdmissionMetrics(registry);
  metrics.keepPolicies(set?.policies ?? []);
  const events: { regarding: ObjectReference; note: string }[] = [];
  const lines: Record<string, unknown>[] = [];
  const record = (fields: object, msg: string) => lines.push({ msg, ...fields });
  const handler = policyHandler({
    failurePolicy,
    policySet: () => set,
    findNamespace: async (name) => (name === "default" ? namespace(name) : undefined),
    askAuthorizer: async () => ({ allowed: false, reason: "" }),
    now: () => now,
    metrics,
    logger: { debug: record, info: record, warn: record, error: record },
    refusals: refusalTeller({
      events: {
        event: (regarding, { note }) => events.push({ regarding: regarding as ObjectReference, note }),
      },
      topmost: async ({ name }) => (name === "web" ? deployment : undefined),
    }),
  });
  const ask = async (asked: AdmissionRequest) => {
    const answer = await handler(asked, context);
    // Owners are told after the answer.
    await setImmediate();
    return answer;
  };
  return { registry, metrics, events, lines, ask };
}

const deployment = { apiVersion: "apps/v1", kind: "Deployment", name: "web", uid: "d", namespace: "default" };
const setOf = (...policies: ReturnType<typeof policy>[]) =>
  buildPolicySet({ policies, exceptions: [exception], serverMinor: 37 });

describe("the policy handler", () => {
  it("denies with 403, one line for each policy, and notes it for the audit log", async () => {
    const bed = setUp(setOf(policy("baseline"), policy("strict", { podSecurity: { level: "restricted" } })));
    const answer = await bed.ask(request(bad()));
    expect(answer.allowed).toBe(false);
    expect(answer.status).toMatchObject({ code: 403, reason: "Forbidden" });
    const lines = answer.status!.message.split("\n");
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^ShieldPolicy "baseline" .*hostNetwork=true/);
    expect(answer.auditAnnotations).toEqual({ denied: answer.status!.message });
    expect(await metric(bed.registry, "shieldx_admission_decisions_total")).toEqual({
      "baseline deny denied": 1,
      "baseline deny error": 0,
      "strict deny denied": 1,
      "strict deny error": 0,
    });
  });

  it("warns, audits and lets pass as the action says", async () => {
    const policies = [
      policy("warning", { actions: { admission: "warn" } }),
      policy("auditing", { actions: { admission: "audit" } }),
      policy("lenient", { podSecurity: { level: "privileged" }, failurePolicy: "Ignore" }),
    ];
    const bed = setUp(setOf(...policies), "Ignore");
    const answer = await bed.ask(request(bad()));
    expect(answer.allowed).toBe(true);
    expect(answer.warnings).toHaveLength(1);
    expect(answer.auditAnnotations).toMatchObject({
      warned: expect.stringContaining('"warning"'),
      audited: expect.stringContaining('"auditing"'),
    });
    expect(await metric(bed.registry, "shieldx_admission_decisions_total")).toEqual({
      "warning warn warned": 1,
      "warning warn error": 0,
      "auditing audit audited": 1,
      "auditing audit error": 0,
      "lenient deny allowed": 1,
      "lenient deny error": 0,
    });
    expect(bed.events).toEqual([]);
  });

  it("evaluates only the policies of its own failurePolicy", async () => {
    const set = setOf(policy("baseline"));
    expect((await setUp(set, "Ignore").ask(request(bad()))).allowed).toBe(true);
    expect((await setUp(set, "Fail").ask(request(bad()))).allowed).toBe(false);
  });

  it("names the exception that let an object pass", async () => {
    const bed = setUp(setOf(policy("baseline")));
    const answer = await bed.ask(request(bad({ name: "excepted" })));
    expect(answer).toEqual({
      allowed: true,
      auditAnnotations: { exempted: "baseline: ShieldException default/allowed" },
    });
    expect(await metric(bed.registry, "shieldx_admission_decisions_total")).toEqual({
      "baseline deny exempted": 1,
      "baseline deny error": 0,
    });
  });

  it("answers 503 where only the evaluation failed, so that trying again is right", async () => {
    const selective = policy("baseline", {
      matchConstraints: { namespaceSelector: { matchLabels: { a: "b" } } },
    });
    const bed = setUp(setOf(selective));
    const answer = await bed.ask(request(bad(), { namespace: "unknown" }));
    expect(answer.status).toMatchObject({ code: 503, reason: "ServiceUnavailable" });
    expect(await metric(bed.registry, "shieldx_admission_decisions_total")).toEqual({
      "baseline deny error": 1,
    });
    expect(bed.lines[0]).toMatchObject({
      msg: expect.stringContaining("could not be held"),
      policies: ["baseline"],
      problem: expect.stringContaining('"unknown"'),
    });
  });

  it("says in the log what it let pass unjudged", async () => {
    const selective = policy("lenient", {
      failurePolicy: "Ignore",
      matchConstraints: { namespaceSelector: { matchLabels: { a: "b" } } },
    });
    const bed = setUp(setOf(selective), "Ignore");
    expect((await bed.ask(request(bad(), { namespace: "unknown" }))).allowed).toBe(true);
    expect(bed.lines).toMatchObject([{ policies: ["lenient"], namespace: "unknown" }]);
  });

  it("answers 422 for an object that is not what it says it is", async () => {
    const bed = setUp(setOf(policy("baseline")));
    const malformed = { ...bad(), spec: { containers: "many" } };
    expect((await bed.ask(request(malformed))).status).toMatchObject({ code: 422, reason: "Invalid" });
  });

  it("fails the request while no set is loaded", async () => {
    await expect(setUp(undefined).ask(request(bad()))).rejects.toThrow("no policy set");
  });

  it("logs each refusal with the request's uid, and nothing for what passes", async () => {
    const bed = setUp(setOf(policy("baseline"), policy("second")));
    await bed.ask(request({ ...bad(), spec: { containers: [] } }));
    expect(bed.lines).toEqual([]);
    const asked = request(bad(), { dryRun: true });
    await bed.ask(asked);
    expect(bed.lines).toEqual([
      {
        msg: "refused",
        uid: asked.uid,
        operation: "CREATE",
        kind: "Pod",
        namespace: "default",
        name: asked.name,
        dryRun: true,
        policies: ["baseline", "second"],
        tookMs: expect.any(Number),
      },
    ]);
  });

  it("tells the controlling owner and the topmost, and nobody on a dry run", async () => {
    const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web", uid: "u", controller: true };
    const other = { apiVersion: "v1", kind: "Node", name: "n", uid: "n" };
    const bed = setUp(setOf(policy("baseline"), policy("second")));
    await bed.ask(request(bad({ ownerReferences: [other, owner] }), { dryRun: true }));
    expect(bed.events).toEqual([]);
    await bed.ask(request(bad({ ownerReferences: [other, owner] })));
    expect(bed.events).toHaveLength(2);
    expect(bed.events[1]!.regarding).toEqual(deployment);
    expect(bed.events[1]!.note).toContain("of ReplicaSet web: hostNamespaces");
    const { controller: _, ...regarding } = owner;
    expect(bed.events[0]!.regarding).toEqual({ ...regarding, namespace: "default" });
    expect(bed.events[0]!.note).toMatch(
      /^ShieldPolicy "baseline" refuses .*hostNamespaces.* \(and 1 more policies\)\. /,
    );
    for (const ownerReferences of [
      undefined,
      null,
      "x",
      [null],
      [{ ...owner, uid: 7 }],
      [{ ...owner, name: "x".repeat(300) }],
      [{ ...owner, name: "web. Please call evil.example" }],
    ]) {
      await bed.ask(request(bad({ ownerReferences })));
    }
    expect(bed.events).toHaveLength(2);
  });

  it("counts errors of a policy from 0, and goes on counting when the set changes", async () => {
    const bed = setUp(setOf(policy("baseline")));
    const before = { "baseline deny error": 0 };
    expect(await metric(bed.registry, "shieldx_admission_decisions_total")).toEqual(before);
    bed.metrics.decided("baseline", "deny", "error");
    bed.metrics.keepPolicies([
      { name: "baseline", admission: "deny" },
      { name: "new", admission: "warn" },
    ]);
    expect(await metric(bed.registry, "shieldx_admission_decisions_total")).toEqual({
      "baseline deny error": 1,
      "new warn error": 0,
    });
  });

  it("counts policies of tenants together for each namespace", async () => {
    const bed = setUp(setOf(policy("baseline")));
    bed.metrics.keepPolicies([
      { name: "shop/a", admission: "deny" },
      { name: "shop/b", admission: "deny" },
      { name: "other/a", admission: "warn" },
    ]);
    bed.metrics.decided("shop/a", "deny", "denied");
    bed.metrics.decided("shop/b", "deny", "denied");
    bed.metrics.decided("shop/unknown", "deny", "denied");
    expect(await metric(bed.registry, "shieldx_admission_decisions_total")).toEqual({
      "shop/* deny error": 0,
      "shop/* deny denied": 2,
      "other/* warn error": 0,
    });
    bed.metrics.keepPolicies([{ name: "shop/b", admission: "deny" }]);
    expect(await metric(bed.registry, "shieldx_admission_decisions_total")).toEqual({
      "shop/* deny error": 0,
      "shop/* deny denied": 2,
    });
  });

  it("forgets the series of policies that are gone", async () => {
    const bed = setUp(setOf(policy("baseline")));
    await bed.ask(request(bad()));
    bed.metrics.keepPolicies([{ name: "other", admission: "deny" }]);
    const rest = { "other deny error": 0 };
    expect(await metric(bed.registry, "shieldx_admission_decisions_total")).toEqual(rest);
    await bed.ask(request(bad()));
    expect(await metric(bed.registry, "shieldx_admission_decisions_total")).toEqual(rest);
  });
});

describe("the probe handler", () => {
  const labelled = (labels: unknown) => request({ metadata: { name: "probe", labels } });

  it("always refuses, naming the leaf of the connection", async () => {
    const answer = await probeHandler(labelled({ "shieldx.io/handshake-probe": "shieldx-kinds" }), context);
    expect(answer.allowed).toBe(false);
    expect(answer.status?.message).toContain(context.leaf);
    expect(answer.status?.message).toContain("shieldx-kinds");
  });

  it.each([null, "x", {}, { "shieldx.io/handshake-probe": 7 }, { "shieldx.io/handshake-probe": "a\nb" }])(
    "copes with labels %j",
    async (labels) => {
      const answer = await probeHandler(labelled(labels), context);
      expect(answer.status?.message).toContain(context.leaf);
      expect(answer.status?.message).not.toContain("\n");
    },
  );
});
