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
    const offenders = fc.array(fc.record({ namespace: fc.constantFrom("a", "b", "c"), held: fc.boolean() }), {
      maxLength: 40,
    });
    const limit = fc.integer({ min: 0, max: 12 });
    fc.assert(
      fc.property(offenders, limit, limit, (items, reports, perNamespace) => {
        const objects = items.map(({ namespace }, at) => object(String(at), { namespace }));
        const index = indexOf(...objects);
        const held = objects.filter((_, at) => items[at]?.held).map(({ uid }) => uid);
        const places = assigned(index, held, reports, perNamespace);
        expect(places.objects.size).toBeLessThanOrEqual(reports);
        for (const count of places.byNamespace.values()) expect(count).toBeLessThanOrEqual(perNamespace);
        expect(places.omitted).toBe(objects.length - places.objects.size);
        const room = [...index.namespaces.values()].reduce(
          (sum, { objects: there }) => sum + Math.min(there.size, perNamespace),
          0,
        );
        expect(places.objects.size).toBe(Math.min(room, reports));
        const again = assigned(index, [...places.objects], reports, perNamespace, [...places.summed]);
        expect([...again.objects].sort()).toEqual([...places.objects].sort());
        expect(again.summed).toEqual(places.summed);
      }),
    );
  });
});
