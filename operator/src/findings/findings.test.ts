import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AuditIndex } from "../controllers/audit/audit-index.ts";
import type { AuditedObject } from "../controllers/audit/audited-object.ts";
import type { Judgement } from "../controllers/audit/finding.ts";
import { type History, HOURS_KEPT, recorded, SERIES_KEPT } from "./history.ts";
import { essenceOf, type FindingsRecord, parseRecord, ROWS_KEPT, recordOf } from "./record.ts";
import { type Tally, tally } from "./tally.ts";

const object = (uid: string, over: Partial<AuditedObject> = {}): AuditedObject => ({
  apiVersion: "v1",
  kind: "Pod",
  namespace: "shop",
  name: uid,
  uid,
  controllerUid: undefined,
  ...over,
});
const breaks = (...policies: [string, number][]): Judgement => ({
  errors: 0,
  matched: policies.map(([policy]) => policy),
  findings: policies.map(([policy, violations]) => ({
    policy,
    result: "fail" as const,
    message: "no",
    violations: Array.from({ length: violations }, (_, at) => ({ checkId: `c${at}`, detail: "…" })),
  })),
  exempted: [],
  exceptions: [],
});
const atOnce = (): Promise<void> => Promise.resolve();
const of = (objects: number) => ({ objects, violations: objects });
const counted = (objects: number, over: Partial<Tally> = {}): Tally => ({
  ...of(objects),
  policies: new Map([["p", of(objects)]]),
  namespaces: new Map([["shop", of(objects)]]),
  owners: new Map([
    ["Deployment shop/web", { namespace: "shop", kind: "Deployment", name: "web", ...of(objects) }],
  ]),
  ...over,
});

describe("tally", () => {
  it("counts each object once, under its namespace and its topmost owner", async () => {
    const index = new AuditIndex();
    const deployment = { kind: "Deployment", name: "web" };
    index.set(object("dep", deployment), breaks(["p", 1]));
    index.set(
      object("rs", { kind: "ReplicaSet", controllerUid: "dep", controller: "Deployment/web" }),
      breaks(["p", 1]),
    );
    index.set(
      object("pod", { controllerUid: "rs", controller: "ReplicaSet/web-1" }),
      breaks(["p", 2], ["q", 0]),
    );
    index.set(object("role", { kind: "ClusterRole", namespace: "" }), breaks(["q", 1]));
    const found = await tally(index, atOnce);
    expect(found).toMatchObject({ objects: 4, violations: 6 });
    expect([...found.policies]).toEqual([
      ["p", { objects: 3, violations: 4 }],
      ["q", { objects: 2, violations: 2 }],
    ]);
    expect([...found.namespaces]).toEqual([
      ["shop", { objects: 3, violations: 5 }],
      ["", { objects: 1, violations: 1 }],
    ]);
    expect([...found.owners.values()]).toEqual([
      { namespace: "shop", kind: "Deployment", name: "web", objects: 3, violations: 5 },
      { namespace: "", kind: "ClusterRole", name: "role", objects: 1, violations: 1 },
    ]);
  });

  it("puts objects of a controller that keeps the policies, or is not judged, under its name", async () => {
    const index = new AuditIndex();
    for (const uid of ["a", "b"])
      index.set(object(uid, { controllerUid: "crd", controller: "Rollout/web" }), breaks(["p", 1]));
    expect([...(await tally(index, atOnce)).owners.values()]).toEqual([
      { namespace: "shop", kind: "Rollout", name: "web", objects: 2, violations: 2 },
    ]);
  });

  it("lets others have their turn, and counts what is deleted meanwhile no more", async () => {
    const index = new AuditIndex();
    for (let at = 0; at < 5_000; at++) index.set(object(`u${at}`), breaks(["p", 1]));
    let pauses = 0;
    const found = await tally(index, async () => {
      pauses++;
      index.delete("u4999");
    });
    expect(pauses).toBe(9);
    expect(found.objects).toBe(4_999);
  });
});

describe("recorded", () => {
  it("keeps the most of each hour, and leaves hours empty that nobody watched", () => {
    let history = recorded(undefined, 100, counted(3));
    history = recorded(history, 100, counted(7));
    history = recorded(history, 100, counted(0));
    history = recorded(history, 103, counted(2));
    expect(history).toMatchObject({ firstHour: 100, total: [7, null, null, 2] });
    expect(history.policies).toEqual([{ name: "p", counts: [7, null, null, 2] }]);
    expect(history.owners).toEqual([{ name: "Deployment shop/web", counts: [7, null, null, 2] }]);
  });

  it("ends with a week, and forgets what had nothing in it", () => {
    let history = recorded(undefined, 0, counted(1, { policies: new Map([["old", of(1)]]) }));
    for (let hour = 1; hour <= HOURS_KEPT; hour++) history = recorded(history, hour, counted(hour));
    expect(history.firstHour).toBe(1);
    expect(history.total).toHaveLength(HOURS_KEPT);
    expect(history.policies.map(({ name }) => name)).toEqual(["p"]);
  });

  it("drops the hours that a clock ahead of time made, and keeps those before", () => {
    let history = recorded(undefined, 100, counted(3));
    history = recorded(history, 150, counted(9));
    history = recorded(history, 101, counted(4));
    expect(history).toMatchObject({ firstHour: 100, total: [3, 4] });
    // Before all there is: it begins anew.
    expect(recorded(history, 5, counted(1))).toMatchObject({ firstHour: 5, total: [1] });
  });

  it("follows the largest, and goes on with those it follows", () => {
    const policies = new Map(Array.from({ length: 80 }, (_, at) => [`p${at}`, of(at + 1)] as const));
    let history = recorded(undefined, 7, counted(80, { policies }));
    expect(history.policies).toHaveLength(SERIES_KEPT);
    expect(history.policies[0]?.name).toBe("p79");
    history = recorded(history, 8, counted(1, { policies: new Map([["new", of(500)]]) }));
    expect(history.policies[0]).toEqual({ name: "new", counts: [null, 500] });
    expect(history.policies.find(({ name }) => name === "p79")?.counts).toEqual([80, 0]);
    expect(history.policies).toHaveLength(SERIES_KEPT);
  });

  it("has one entry an hour in every series, whatever the clock does", () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.nat(5)), { maxLength: 30 });
    fc.assert(
      fc.property(steps, (all) => {
        let history: History | undefined;
        for (const [hour, objects] of all) {
          history = recorded(history, hour, counted(objects));
          const { length } = history.total;
          expect(history.firstHour + length - 1).toBe(hour);
          expect(length).toBeLessThanOrEqual(HOURS_KEPT);
          for (const { counts } of [...history.policies, ...history.namespaces, ...history.owners])
            expect(counts).toHaveLength(length);
        }
      }),
    );
  });
});

const record = (tallied: Tally, over: Partial<FindingsRecord> = {}): FindingsRecord => ({
  ...recordOf(tallied, recorded(undefined, 400_000, tallied), { since: 5, recordedAt: 9 }),
  ...over,
});

describe("the record", () => {
  it("is read as it was written, and tells what it leaves out", () => {
    const names = Array.from({ length: 300 }, (_, at) => `${"x".repeat(240)}${at}`);
    const owners = new Map(
      names.map((name, at) => [
        `Deployment ${name}`,
        {
          namespace: "n".repeat(63),
          kind: "Deployment",
          name,
          objects: 1_000 + at,
          violations: 1_000_000,
        },
      ]),
    );
    const others = new Map(names.map((name, at) => [name.slice(-60), of(1_000 + at)]));
    const large = counted(123_456, { owners, namespaces: others, policies: others });
    let history = recorded(undefined, 400_000, large);
    for (let hour = 1; hour < HOURS_KEPT; hour++) history = recorded(history, 400_000 + hour, large);
    const written = recordOf(large, history, { since: 5, recordedAt: 9 });
    const text = JSON.stringify(written);
    // Of what an object may have in etcd, with the next record beside it.
    expect(text.length).toBeLessThan(400_000);
    expect(parseRecord(text)).toEqual(written);
    expect(written.owners).toMatchObject({ total: 300 });
    expect(written.owners.rows).toHaveLength(ROWS_KEPT);
    expect(written.owners.rows[0]?.objects).toBe(1_299);
  });

  it("differs where something is to be told, not in when it was recorded", () => {
    expect(essenceOf(record(counted(3)))).toBe(essenceOf(record(counted(3), { recordedAt: 77 })));
    expect(essenceOf(record(counted(3)))).not.toBe(essenceOf(record(counted(4))));
  });

  it.each([
    ["nothing", undefined],
    ["no JSON", "{"],
    ["another kind of value", "[]"],
    ["another version", JSON.stringify({ ...record(counted(1)), version: 2 })],
    ["a count that is none", JSON.stringify({ ...record(counted(1)), objects: -1 })],
    ["a time that no date holds", JSON.stringify({ ...record(counted(1)), recordedAt: 9e15 })],
    ["fields by inheritance only", '{"__proto__":{"version":1}}'],
    ["an hour without its entry", JSON.stringify(record(counted(1))).replace('"total":[1]', '"total":[1,2]')],
    [
      "hours without end",
      JSON.stringify(record(counted(1))).replace('"firstHour":4', '"firstHour":9999999999'),
    ],
    ["far too much", `"${"x".repeat(600_000)}"`],
  ])("is not read from %s", (_, text) => {
    expect(parseRecord(text)).toBeUndefined();
  });
});
