import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AuditIndex } from "./audit-index.ts";
import type { AuditedObject } from "./audited-object.ts";
import { assignPlaces } from "./report-places.ts";

const judgement = (policies: readonly string[]) => ({
  errors: 0,
  matched: policies,
  findings: policies.map((policy) => ({ policy, result: "fail" as const, message: "m", violations: [] })),
  exempted: [],
  exceptions: [],
});
const object = (uid: string, over: Partial<AuditedObject> = {}): AuditedObject => ({
  apiVersion: "v1",
  kind: "Pod",
  namespace: "a",
  name: uid,
  uid,
  controllerUid: undefined,
  ...over,
});
const indexOf = (...objects: readonly AuditedObject[]): AuditIndex => {
  const index = new AuditIndex();
  for (const each of objects) index.set(each, judgement(["p"]));
  return index;
};
const assigned = (
  index: AuditIndex,
  held: string[],
  reports: number,
  perNamespace: number,
  summed: string[] = [],
) => assignPlaces(index, held, new Set(summed), { reports, perNamespace });

describe("places for reports", () => {
  it("are for everybody as long as there are enough, and then nothing is summed up", () => {
    const places = assigned(indexOf(object("1"), object("2", { namespace: "b" })), [], 2, 1);
    expect([...places.objects].sort()).toEqual(["1", "2"]);
    expect(places).toMatchObject({ summed: [], omitted: 0 });
    expect(places.byPolicy).toEqual(new Map([["p", 2]]));
  });

  it("stay with who has one, and go to others only when it ends", () => {
    const objects = ["1", "2", "3"].map((uid) => object(uid));
    const index = indexOf(...objects);
    expect([...assigned(index, ["3"], 1, 5).objects]).toEqual(["3"]);
    index.delete("3");
    const places = assigned(index, ["3"], 1, 5);
    expect([...places.objects]).toEqual(["1"]);
    expect(places).toMatchObject({ summed: ["a"], omitted: 1 });
  });

  it("are few in a namespace, so that one does not take those of all", () => {
    const loud = ["1", "2", "3", "4"].map((uid) => object(uid));
    const places = assigned(indexOf(...loud, object("9", { namespace: "quiet" })), [], 3, 2);
    expect([...places.objects].sort()).toEqual(["1", "2", "9"]);
    expect(places).toMatchObject({ summed: ["a"], omitted: 2 });
  });

  it("that cluster policies need are not taken by tenants' policies, in the cluster or in a namespace", () => {
    const index = new AuditIndex();
    // Tenants' offenders come first in every order: by key, and by having a Report already.
    const noisy = Array.from({ length: 40 }, (_, at) => object(`1${at}`, { namespace: `t${at % 4}` }));
    for (const each of noisy) index.set(each, judgement([`${each.namespace}/noisy`]));
    const cluster = ["9a", "9b", "9c", "9d"].map((uid, at) => object(uid, { namespace: `t${at}` }));
    for (const [at, each] of cluster.entries())
      index.set(each, judgement(["p", ...(at === 0 ? ["t0/noisy"] : [])]));
    const held = noisy.map(({ uid }) => uid);
    const places = assigned(index, held, 4, 4);
    expect([...places.objects].filter((key) => key.startsWith("9")).sort()).toEqual(["9a", "9b", "9c", "9d"]);
    expect([...places.objects].filter((key) => key.startsWith("1"))).toHaveLength(1);
    expect(places).toMatchObject({ omitted: 39, summed: ["t0", "t1", "t2", "t3"] });
    expect(places.byPolicy.get("p")).toBe(4);
    for (const each of cluster) index.delete(each.uid);
    expect(assigned(index, held, 4, 4).objects.size).toBe(1);
  });

  it("of tenants are not taken by cluster policies either", () => {
    const index = indexOf(...["1", "2", "3"].map((uid) => object(uid)));
    index.set(object("9", { namespace: "t" }), judgement(["t/own"]));
    expect([...assigned(index, ["1", "2"], 2, 2).objects].sort()).toEqual(["1", "2", "9"]);
    expect(assigned(index, [], 0, 2).objects.size).toBe(0);
    expect(assigned(index, [], 2, 0).objects.size).toBe(0);
  });

  it("follow what an object breaks: its place is the cluster's for as long as it breaks a policy of the cluster", () => {
    const index = new AuditIndex();
    for (const uid of ["1", "2"]) index.set(object(uid), judgement(["a/own"]));
    expect([...assigned(index, [], 1, 1).objects]).toEqual(["1"]);
    index.set(object("2"), judgement(["a/own", "p"]));
    expect([...assigned(index, ["1"], 1, 1).objects].sort()).toEqual(["1", "2"]);
    index.set(object("2"), judgement(["a/own"]));
    expect([...assigned(index, ["1", "2"], 1, 1).objects]).toEqual(["1"]);
  });

  it("sum up namespaces in which a policy of the cluster is broken before others", () => {
    const index = indexOf(object("9", { namespace: "z" }));
    for (const namespace of ["a", "b"])
      index.set(object(namespace, { namespace }), judgement([`${namespace}/own`]));
    expect(assigned(index, [], 2, 0, ["a", "b"]).summed).toEqual(["z", "a"]);
  });

  it("go to what is to be mended before what that controls", () => {
    const pods = ["1", "2"].map((uid) => object(uid, { controllerUid: "9" }));
    expect([...assigned(indexOf(...pods, object("9", { kind: "ReplicaSet" })), [], 1, 9).objects]).toEqual([
      "9",
    ]);
  });

  it("are for nothing without a namespace, and for no Report", () => {
    const report = object("1", { apiVersion: "openreports.io/v1alpha1", kind: "Report" });
    const places = assigned(indexOf(report, object("2", { namespace: "" })), ["1", "2"], 9, 9);
    expect(places.objects.size).toBe(0);
    expect(places).toMatchObject({ summed: ["a"], omitted: 1 });
  });

  it("sum up as many namespaces as there may be reports, the same ones again", () => {
    const index = indexOf(...["a", "b", "c"].map((namespace) => object(namespace, { namespace })));
    expect(assigned(index, [], 2, 0).summed).toEqual(["a", "b"]);
    expect(assigned(index, [], 2, 0, ["c"]).summed).toEqual(["c", "a"]);
  });

  it("are within both limits, stay as they are, and count everybody who has none", () => {
    const offenders = fc.array(
      fc.record({
        namespace: fc.constantFrom("a", "b", "c"),
        held: fc.boolean(),
        policies: fc.constantFrom<readonly string[]>(["p"], ["p", "a/own"], ["b/own"]),
      }),
      { maxLength: 40 },
    );
    const limit = fc.integer({ min: 0, max: 12 });
    fc.assert(
      fc.property(offenders, limit, limit, (items, reports, perNamespace) => {
        const objects = items.map(({ namespace }, at) => object(String(at), { namespace }));
        const index = new AuditIndex();
        for (const [at, each] of objects.entries()) index.set(each, judgement(items[at]?.policies ?? []));
        const held = objects.filter((_, at) => items[at]?.held).map(({ uid }) => uid);
        const places = assigned(index, held, reports, perNamespace);
        expect(places.omitted).toBe(objects.length - places.objects.size);
        for (const isTenants of [false, true]) {
          const share = (limit: number): number => (isTenants ? Math.ceil(limit / 4) : limit);
          const of = (namespace: string): string[] =>
            objects
              .filter(
                (each, at) => each.namespace === namespace && items[at]?.policies.includes("p") !== isTenants,
              )
              .map(({ uid }) => uid);
          let placed = 0;
          let room = 0;
          for (const namespace of ["a", "b", "c"]) {
            const has = of(namespace).filter((uid) => places.objects.has(uid)).length;
            expect(has).toBeLessThanOrEqual(share(perNamespace));
            placed += has;
            room += Math.min(of(namespace).length, share(perNamespace));
          }
          expect(placed).toBe(Math.min(room, share(reports)));
        }
        const again = assigned(index, [...places.objects], reports, perNamespace, [...places.summed]);
        expect([...again.objects].sort()).toEqual([...places.objects].sort());
        expect(again.summed).toEqual(places.summed);
      }),
    );
  });
});
