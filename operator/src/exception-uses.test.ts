import { ANNOTATION, formatExceptionApprovals, formatExceptionUses, MAX_REPORTED_USES } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { ExceptionUses } from "./exception-uses.ts";

const T0 = Date.parse("2026-01-01T00:00:00Z");
const MINUTE = 60_000;
const DAY = 86_400_000;

/** An operator with a clock that passes only where it is told to. */
function setUp({ isLeading = true } = {}) {
  let elapsed = 0;
  const gone = new Set<string>();
  const clock = { now: () => T0 + elapsed, monotonicNow: () => elapsed };
  const uses = new ExceptionUses({ clock, isKnown: (uid) => !gone.has(uid) });
  if (isLeading) uses.lead(true);
  const observe = (leases: readonly ReturnType<typeof lease>[], silent: readonly string[] = []) => {
    const names = leases.map(({ metadata }) => metadata.name);
    uses.observe(leases, new Set(names.filter((name) => !silent.includes(name))));
  };
  let status: ReturnType<typeof uses.usage> | undefined;
  const look = () => uses.usage("u", status, undefined, clock.now());
  const write = () => {
    status = look();
    uses.wrote("u", status, elapsed);
    return status;
  };
  const pass = (ms: number) => {
    elapsed += ms;
  };
  return { uses, observe, look, write, pass, gone };
}

function lease(process: string, count: number, { lastUsedMs = T0, approver = "", uid = "u" } = {}) {
  const uses = count === 0 ? undefined : formatExceptionUses({ process, uses: [{ uid, count, lastUsedMs }] });
  const approvals = [{ uid, generation: 1, user: approver, specDigest: "d" }];
  const annotations: Record<string, string> = {
    ...(uses === undefined ? {} : { [ANNOTATION.exceptionUses]: uses }),
    ...(approver === ""
      ? {}
      : { [ANNOTATION.exceptionApprovals]: formatExceptionApprovals(approvals) ?? "" }),
  };
  return { metadata: { name: `lease-${process}`, annotations } };
}

describe("ExceptionUses", () => {
  it("writes what a process counted last also when it is gone before that was written", () => {
    const { uses, observe, look, write, pass } = setUp();
    const told: string[] = [];
    uses.onTold((uids) => told.push(...uids));
    observe([lease("a", 2, { approver: "jane" })]);
    observe([lease("a", 5)]);
    observe([]);
    expect(told).toEqual(["u", "u"]);
    expect(uses.approvals("u")).toMatchObject([{ user: "jane" }]);
    pass(2 * MINUTE);
    const usage = write();
    expect(usage).toMatchObject({ count: 5 });
    // The cache may not show yet what was written.
    expect(uses.usage("u", undefined, undefined, T0)).toMatchObject({ count: 5 });
    expect(look().processes).toBeUndefined();
    expect(look().count).toBe(5);
  });

  it("adds what was told while a sum was on its way", () => {
    const { uses, observe, look } = setUp();
    observe([lease("a", 5)]);
    const onItsWay = look();
    observe([lease("a", 9)]);
    observe([]);
    uses.wrote("u", onItsWay, 0);
    expect(look().count).toBe(9);
  });

  it("counts once where somebody deletes the Lease of a replica that lives, and folds it when it is gone", () => {
    const { observe, look, write, pass } = setUp();
    observe([lease("a", 5)]);
    write();
    observe([]);
    write();
    pass(20_000);
    observe([lease("a", 5)]);
    expect(write().count).toBe(5);
    observe([]);
    pass(MINUTE);
    write();
    expect(look()).toMatchObject({ count: 5 });
    expect(look().processes).toBeUndefined();
  });

  it("counts no dead Lease again that it or another leader counted, however often", () => {
    const { observe, look, write, pass } = setUp();
    const leases = Array.from({ length: 70 }, (_, n) => lease(`p${n}`, 1));
    observe(leases);
    expect(write().count).toBe(64);
    const counts = Array.from({ length: 5 }, () => {
      pass(MINUTE);
      observe(
        leases,
        leases.slice(0, 60).map(({ metadata }) => metadata.name),
      );
      return write().count;
    });
    expect(counts).toEqual([70, 70, 70, 70, 70]);
    const next = setUp();
    next.observe([lease("dead", 5)], ["lease-dead"]);
    expect(next.look().count).toBeUndefined();
    expect(look().count).toBe(70);
  });

  it("as a standby remembers nothing that the leader may have written already", () => {
    const { uses, observe } = setUp({ isLeading: false });
    observe([lease("a", 5)]);
    observe([lease("b", 1)]);
    uses.lead(true);
    const status = { count: 6, processes: [{ id: "b", count: 1 }] };
    expect(uses.usage("u", status, undefined, T0).count).toBe(6);
  });

  it("takes what grew under its eyes as used now, whatever the replica's clock shows", () => {
    const { observe, write, pass } = setUp();
    const behind = (count: number) => lease("a", count, { lastUsedMs: T0 - 30 * DAY });
    observe([behind(7)]);
    expect(write()).toMatchObject({ lastUsed: "2025-12-02T00:00:00Z" });
    pass(10 * DAY);
    observe([behind(8)]);
    expect(write()).toMatchObject({ count: 8, lastUsed: "2026-01-11T00:00:00Z" });
    // Of one that was not used before, and by a process that had not begun.
    const other = setUp();
    other.observe([lease("a", 0)]);
    other.pass(DAY);
    other.observe([behind(1)]);
    expect(other.write()).toMatchObject({ lastUsed: "2026-01-02T00:00:00Z" });
  });

  it("believes the replica where it tells only a part at a time", () => {
    const { observe, write, pass } = setUp();
    const others = Array.from({ length: MAX_REPORTED_USES }, (_, n) => ({
      uid: `other${n}`,
      count: 1,
      lastUsedMs: T0,
    }));
    const { metadata } = lease("a", 1);
    const annotations = {
      [ANNOTATION.exceptionUses]: formatExceptionUses({ process: "a", uses: others }) ?? "",
    };
    observe([{ metadata: { ...metadata, annotations } }]);
    pass(DAY);
    observe([lease("a", 3)]);
    expect(write()).toMatchObject({ count: 3, lastUsed: "2026-01-01T00:00:00Z" });
  });

  it("holds nothing of exceptions that are gone, though replicas go on to tell of them", () => {
    const { uses, observe, look, gone } = setUp();
    observe([lease("a", 5)]);
    gone.add("u");
    uses.forget("u");
    observe([lease("a", 5)]);
    observe([]);
    expect(look()).toEqual({});
    uses.wrote("u", { count: 5 }, 0);
    expect(uses.written("u")).toBeUndefined();
  });

  it("knows of objects once the audit does", () => {
    const { uses } = setUp();
    const heard: unknown[] = [];
    uses.onAudited((keys) => heard.push(keys));
    expect([uses.objects("n/e"), uses.isAudited]).toEqual([undefined, false]);
    uses.audited(new Map([["n/e", 2]]), ["n/e"]);
    expect([uses.objects("n/e"), uses.objects("n/other"), uses.isAudited]).toEqual([2, 0, true]);
    uses.audited(new Map(), []);
    uses.audited(new Map(), ["n/e"]);
    expect(heard).toEqual(["all", ["n/e"]]);
  });
});
