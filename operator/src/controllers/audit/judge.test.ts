import { type KubeObject, Pod, resourceType, resourceTypeKey } from "@shieldx/controller-runtime";
import type { ShieldException, ShieldPolicy, ShieldPolicySpec } from "@shieldx/crds";
import { buildPolicySet } from "@shieldx/policy-engine";
import { describe, expect, it } from "vitest";
import { AuditIndex } from "./audit-index.ts";
import { auditedObject } from "./audited-object.ts";
import { heldAround } from "./auditor.ts";
import type { Judgement } from "./finding.ts";
import { judgeObject, slim } from "./judge.ts";
import { AUDITED_KINDS, cachedKinds, kindsToAudit } from "./kinds.ts";
import { auditStatus } from "./status.ts";

const NOW = Date.parse("2026-01-02T00:00:00Z");
const spec = (over: Partial<ShieldPolicySpec> = {}): ShieldPolicySpec => ({
  engine: "podSecurity",
  podSecurity: { level: "baseline", version: "latest" },
  actions: { admission: "deny" },
  evaluation: "Auto",
  ...over,
});
const policy = (name: string, over: Partial<ShieldPolicySpec> = {}): ShieldPolicy => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldPolicy",
  metadata: { name, uid: name, generation: 1 },
  spec: spec(over),
});
const exception: ShieldException = {
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldException",
  metadata: {
    name: "e",
    namespace: "ns",
    uid: "e",
    generation: 1,
    creationTimestamp: "2026-01-01T00:00:00Z",
  },
  spec: {
    policies: ["p"],
    owner: "team",
    reason: "for the test of it",
    expiresAt: "2026-01-03T00:00:00Z",
    match: { names: ["bad"] },
  },
};
const pod = (name: string, hostNetwork: boolean) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name,
    namespace: "ns",
    uid: `uid-${name}`,
    managedFields: [],
    ownerReferences: [
      { apiVersion: "v1", kind: "Other", name: "o", uid: "other" },
      { apiVersion: "apps/v1", kind: "ReplicaSet", name: "rs", uid: "uid-rs", controller: true },
    ],
  },
  spec: { hostNetwork, containers: [{ name: "a", image: "a" }] },
  status: { phase: "Running" },
});
const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "ns" } };
const setOf = (exceptions: ShieldException[], over: Partial<ShieldPolicySpec> = {}) =>
  buildPolicySet({ policies: [policy("p", over)], exceptions, serverMinor: 37 });

function judged(...given: Parameters<typeof judgeObject>): Judgement {
  const judgement = judgeObject(...given);
  if ("asks" in judgement) throw new Error("it asks");
  return judgement;
}

describe("judgeObject", () => {
  it("finds what a policy would refuse today, and nothing in what it would admit", () => {
    const bad = judged(setOf([]), Pod, pod("bad", true), namespace, NOW);
    expect(bad.matched).toEqual(["p"]);
    expect(bad.findings[0]?.violations[0]?.checkId).toBe("hostNamespaces");
    expect(judged(setOf([]), Pod, pod("good", false), namespace, NOW)).toEqual({
      errors: 0,
      matched: ["p"],
      findings: [],
      exempted: [],
      exceptions: [],
    });
  });

  it("tells what a policy only warns of", () => {
    const set = setOf([], { actions: { admission: "warn", background: "audit" } });
    expect(judged(set, Pod, pod("bad", true), namespace, NOW).findings).toMatchObject([{ result: "warn" }]);
    expect(judged(setOf([]), Pod, pod("bad", true), namespace, NOW).findings).toMatchObject([
      { result: "fail" },
    ]);
  });

  it("counts an exception while it lasts", () => {
    const allowing = { exceptions: { namespaces: { names: ["ns"] }, maxDuration: "720h" } };
    const exempt = judged(setOf([exception], allowing), Pod, pod("bad", true), namespace, NOW);
    const { namespace: of, name } = exception.metadata;
    expect(exempt).toEqual({
      errors: 0,
      matched: ["p"],
      findings: [],
      exempted: ["p"],
      exceptions: [`${of}/${name}`],
    });
    const later = judged(
      setOf([exception], allowing),
      Pod,
      pod("bad", true),
      namespace,
      NOW + 2 * 86_400_000,
    );
    expect(later.findings).toHaveLength(1);
    expect(later.exempted).toEqual([]);
  });

  it("judges the slim form as it judges the whole object, and keeps what names it", () => {
    const whole = pod("bad", true);
    const small = slim(whole);
    expect(small).not.toHaveProperty("status");
    expect(small.metadata).not.toHaveProperty("managedFields");
    expect(judged(setOf([]), Pod, small, namespace, NOW)).toEqual(
      judged(setOf([]), Pod, whole, namespace, NOW),
    );
    expect(auditedObject(small)).toMatchObject({
      kind: "Pod",
      namespace: "ns",
      name: "bad",
      controllerUid: "uid-rs",
      controller: "ReplicaSet/rs",
    });
  });

  it("judges an object as deep as an API server takes it: only what walks it comes to no verdict", () => {
    const things = resourceType<KubeObject>({
      group: "large.example.com",
      version: "v1",
      kind: "Thing",
      plural: "things",
      namespaced: true,
    });
    const deep = `${'{"a":'.repeat(9_990)}1${"}".repeat(9_990)}`;
    const text = `{"apiVersion":"large.example.com/v1","kind":"Thing","metadata":{"name":"bad","namespace":"ns"},"spec":${deep}}`;
    const about = (expression: string) => ({
      engine: "cel" as const,
      evaluation: "Webhook" as const,
      actions: { admission: "deny" as const, background: "audit" as const },
      matchConstraints: {
        matchPolicy: "Equivalent" as const,
        resourceRules: [
          {
            apiGroups: ["large.example.com"],
            apiVersions: ["v1"],
            operations: ["CREATE" as const],
            resources: ["things"],
          },
        ],
      },
      validations: [{ expression, message: "no" }],
    });
    const { podSecurity: _, ...names } = spec(about("object.metadata.name != 'bad'"));
    const { podSecurity: __, ...walks } = spec(about("[object.spec] != [object.spec.a]"));
    const set = buildPolicySet({
      policies: [
        { ...policy("names"), spec: names },
        { ...policy("walks"), spec: walks },
      ],
      exceptions: [],
      serverMinor: 37,
    });
    expect(set.problems).toEqual([]);
    const judgement = judged(set, things, slim(JSON.parse(text)), namespace, NOW);
    expect(judgement.findings).toMatchObject([{ policy: "names", message: /no/ }]);
    expect(judgement).toMatchObject({ errors: 1, matched: ["names", "walks"] });
  });

  it("makes the slim form of new parts throughout, which a cache may go on to change", () => {
    const volumes = [{ name: "v", configMap: { name: "c" } }];
    const whole = JSON.parse(JSON.stringify({ ...pod("a", true), spec: { volumes } })) as ReturnType<
      typeof pod
    >;
    const frozen = (value: unknown): boolean =>
      typeof value === "object" &&
      value !== null &&
      (Object.isFrozen(value) || Object.values(value).some(frozen));
    expect(frozen(slim(whole))).toBe(false);
  });
});

describe("kindsToAudit", () => {
  it("caches only what some policy audits", () => {
    expect(kindsToAudit([])).toEqual([]);
    expect(kindsToAudit([spec({ actions: { admission: "deny", background: "off" } })])).toEqual([]);
    expect(kindsToAudit([spec()])).toEqual(AUDITED_KINDS);
    const rule = {
      apiGroups: [""],
      apiVersions: ["v1"],
      operations: ["CREATE" as const],
      resources: ["pods"],
      scope: "*" as const,
    };
    const only = kindsToAudit([
      spec({ matchConstraints: { resourceRules: [rule], matchPolicy: "Equivalent" } }),
    ]);
    expect(only.map(resourceTypeKey)).toEqual([resourceTypeKey(Pod)]);
    const images = spec({ engine: "images", actions: { admission: "deny", background: "audit" } });
    expect(kindsToAudit([images])).toEqual([]);
    expect(kindsToAudit([images, spec()], "images")).toEqual(AUDITED_KINDS);
    expect(kindsToAudit([{ ...images, actions: { admission: "deny" } }], "images")).toEqual([]);
    expect(cachedKinds([Pod], [Pod], new Map())).toEqual([{ type: Pod, isWhole: true }]);
  });
});

describe("auditStatus", () => {
  it("shows counts and the worst, and a time only when there is one", () => {
    const index = new AuditIndex();
    const bad = pod("bad", true);
    index.set(auditedObject(bad), judged(setOf([]), Pod, bad, namespace, NOW));
    expect(auditStatus(index.policy("p"), NOW, 3)).toEqual({
      counts: {
        checked: 1,
        violating: 1,
        violations: 1,
        exempted: 0,
        withoutReport: 3,
        lastScanTime: "2026-01-02T00:00:00Z",
      },
      worstOffenders: [{ apiVersion: "v1", kind: "Pod", namespace: "ns", name: "bad", violations: 1 }],
    });
    expect(auditStatus(index.policy("none"), undefined, 0)).toEqual({
      counts: { checked: 0, violating: 0, violations: 0, exempted: 0 },
    });
  });

  it("fits the schema whatever objects are called", () => {
    const index = new AuditIndex();
    const role = { ...auditedObject(pod("bad", true)), name: `\u001b[2J${"😀".repeat(200)}` };
    index.set(role, judged(setOf([]), Pod, pod("bad", true), namespace, NOW));
    const [worst] = auditStatus(index.policy("p"), NOW, 0).worstOffenders ?? [];
    expect(worst?.name).toHaveLength(253);
    expect(worst?.name.isWellFormed()).toBe(true);
    expect(worst?.name).not.toContain("\u001b");
  });
});

describe("heldAround", () => {
  it("is the time in which the same exceptions hold, also for a clock that is put back", () => {
    expect(heldAround([10, 30, 20, 40], 25)).toEqual({ fromMs: 20, untilMs: 30 });
    expect(heldAround([10], 10)).toEqual({ fromMs: 10, untilMs: Number.POSITIVE_INFINITY });
    expect(heldAround([], 25)).toEqual({
      fromMs: Number.NEGATIVE_INFINITY,
      untilMs: Number.POSITIVE_INFINITY,
    });
  });
});
