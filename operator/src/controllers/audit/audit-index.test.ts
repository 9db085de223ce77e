import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AuditIndex } from "./audit-index.ts";
import type { AuditedObject } from "./audited-object.ts";
import type { AuditFinding, Judgement } from "./finding.ts";

const object = (uid: string, over: Partial<AuditedObject> = {}): AuditedObject => ({
  apiVersion: "v1",
  kind: "Pod",
  namespace: "default",
  name: uid,
  uid,
  controllerUid: undefined,
  ...over,
});
const finding = (policy: string, ...checks: string[]): AuditFinding => ({
  policy,
  result: "fail",
  message: `${policy} refuses`,
  violations: checks.map((checkId) => ({ checkId, detail: "…" })),
});

const of = (...findings: AuditFinding[]): Judgement => ({
  errors: 0,
  matched: findings.map((item) => item.policy),
  findings,
  exempted: [],
  exceptions: [],
});

describe("AuditIndex", () => {
  it("counts every offender and names only the topmost of a chain of controllers", () => {
    const index = new AuditIndex();
    index.set(object("dep", { kind: "Deployment" }), of(finding("p", "privileged")));
    index.set(object("rs", { kind: "ReplicaSet", controllerUid: "dep" }), of(finding("p", "privileged")));
    index.set(object("pod1", { controllerUid: "rs" }), of(finding("p", "privileged")));
    index.set(object("pod2", { controllerUid: "rs" }), of(finding("p", "privileged")));
    index.set(object("lone"), of(finding("p", "privileged", "hostPorts")));
    const audit = index.policy("p");
    expect(audit.violating).toBe(5);
    expect(audit.worst.map((offender) => [offender.object.uid, offender.dependants])).toEqual([
      ["lone", 0],
      ["dep", 3],
    ]);
  });

  it("names a Pod whose owner is clean", () => {
    const index = new AuditIndex();
    index.set(object("rs", { kind: "ReplicaSet" }), of());
    index.set(object("pod", { controllerUid: "rs" }), of(finding("p", "privileged")));
    expect(index.policy("p").worst.map((offender) => offender.object.uid)).toEqual(["pod"]);
  });

  it("counts what was held against an object, and what it was let off by exception", () => {
    const index = new AuditIndex();
    index.set(object("a"), {
      errors: 0,
      matched: ["p", "q"],
      findings: [],
      exempted: ["q"],
      exceptions: ["ns/e"],
    });
    index.set(object("b"), {
      errors: 0,
      matched: ["p"],
      findings: [finding("p", "x", "y")],
      exempted: [],
      exceptions: ["ns/e"],
    });
    expect(index.policy("p")).toMatchObject({ checked: 2, exempted: 0, violating: 1, findings: 2 });
    expect(index.policy("q")).toMatchObject({ checked: 1, exempted: 1, violating: 0 });
    expect(index.exceptions).toEqual(new Map([["ns/e", 2]]));
    expect(index.takeChanges().exceptions).toEqual(["ns/e"]);
    index.delete("a");
    expect(index.policy("q")).toMatchObject({ checked: 0, exempted: 0 });
    index.delete("b");
    expect(index.exceptions).toEqual(new Map());
    expect(index.takeChanges().exceptions).toEqual(["ns/e"]);
  });

  it("lists the ten worst, most findings first, whatever order they came in", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 40 }), (sizes) => {
        const index = new AuditIndex();
        for (const [at, size] of sizes.entries()) {
          const checks = Array.from({ length: size }, (_, check) => `c${check}`);
          index.set(object(`o${at}`), of(finding("p", ...checks)));
        }
        const expected = [...sizes].sort((a, b) => b - a).slice(0, 10);
        expect(index.policy("p").worst.map((offender) => offender.findings)).toEqual(expected);
      }),
    );
  });

  it("survives owner references in a circle", () => {
    const index = new AuditIndex();
    index.set(object("a", { controllerUid: "b" }), of(finding("p", "x")));
    index.set(object("b", { controllerUid: "a" }), of(finding("p", "x")));
    expect(index.policy("p").violating).toBe(2);
  });

  it("tells of a change once, and of no change not at all", () => {
    const index = new AuditIndex();
    index.set(object("a"), of(finding("p", "x")));
    const news = { policies: ["p"], namespaces: ["default"], exceptions: [] };
    expect(index.takeChanges()).toEqual(news);
    index.set(object("a"), of(finding("p", "x")));
    index.set(object("b"), of());
    index.delete("c");
    expect(index.takeChanges()).toEqual({ policies: [], namespaces: [], exceptions: [] });
    index.set(object("a"), of());
    expect(index.takeChanges()).toEqual(news);
    expect(index.size).toBe(0);
    expect(index.namespaces.size).toBe(0);
  });

  it("keeps the words of those that have a Report, and of no more objects than may have one", () => {
    const index = new AuditIndex({ mostDetailed: 2 });
    for (const uid of ["a", "b", "c"]) index.set(object(uid), of(finding("p", "x")));
    const known = () => ["a", "b", "c"].filter((uid) => index.details(uid) !== undefined);
    expect(known()).toEqual(["a", "b"]);
    index.keepDetailsOf(new Set(["b", "c"]));
    expect(known()).toEqual(["b"]);
    index.set(object("c"), of(finding("p", "x")));
    index.set(object("a"), of(finding("p", "x")));
    expect(known()).toEqual(["b", "c"]);
    expect(index.policy("p")).toMatchObject({ violating: 3, findings: 3 });
  });

  it("tells of other words where they are in a Report, and not where they are not", () => {
    const index = new AuditIndex({ mostDetailed: 1 });
    const said = (detail: string) => of({ ...finding("p"), violations: [{ checkId: "x", detail }] });
    for (const uid of ["a", "b"]) index.set(object(uid), said("before"));
    index.takeChanges();
    index.set(object("b"), said("after"));
    expect(index.takeChanges().namespaces).toEqual([]);
    index.set(object("a"), said("after"));
    expect(index.takeChanges()).toEqual({ policies: [], namespaces: ["default"], exceptions: [] });
  });

  it("tells everywhere that a policy only warns from now on", () => {
    const index = new AuditIndex();
    index.set(object("a"), of(finding("p", "x")));
    index.set(object("b", { namespace: "other" }), of(finding("p", "x")));
    index.takeChanges();
    index.set(object("a"), of({ ...finding("p", "x"), result: "warn" }));
    expect(index.resultOf("p")).toBe("warn");
    expect([...index.takeChanges().namespaces].sort()).toEqual(["default", "other"]);
  });

  it("tells objects without a uid apart by their names", () => {
    const index = new AuditIndex();
    for (const name of ["a", "b"]) index.set(object("", { name }), of(finding("p", "x")));
    expect(index.policy("p").violating).toBe(2);
  });

  it("counts as a recount from scratch would, after any history", () => {
    const step = fc.record({
      uid: fc.constantFrom("a", "b", "c", "d"),
      policies: fc.subarray(["p", "q"]),
      isDeleted: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const index = new AuditIndex();
        const truth = new Map<string, string[]>();
        for (const { uid, policies, isDeleted } of steps) {
          if (isDeleted) {
            index.delete(uid);
            truth.delete(uid);
          } else {
            index.set(object(uid), of(...policies.map((policy) => finding(policy, "x"))));
            truth.set(uid, policies);
          }
        }
        for (const name of ["p", "q"]) {
          const expected = [...truth.values()].filter((list) => list.includes(name)).length;
          expect(index.policy(name).violating).toBe(expected);
          expect(index.policy(name).worst).toHaveLength(expected);
          expect(index.policy(name).checked).toBe(expected);
          const there = index.namespaces.get("default")?.policies.get(name)?.objects ?? 0;
          expect(there).toBe(expected);
          expect(index.namespaced(name)).toBe(expected);
        }
      }),
    );
  });
});
