import { ANNOTATION, type ExceptionUse, formatExceptionApprovals, formatExceptionUses } from "@shieldx/crds";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addUp, approvedBy, type ExceptionUsage, ExceptionUses, withObjects } from "./exception-uses.ts";

const T0 = Date.parse("2026-01-01T00:00:00Z");
const use = (count: number, lastUsedMs = T0): ExceptionUse => ({ uid: "u", count, lastUsedMs });
const counted = (totals: Record<string, number>, living = Object.keys(totals)) => ({
  totals: new Map(Object.entries(totals).map(([id, count]) => [id, use(count)])),
  living: new Set(living),
});

describe("addUp", () => {
  it("adds what replicas tell, and again only what is more", () => {
    const first = addUp(undefined, counted({ a: 2, b: 3 }), T0);
    expect(first).toMatchObject({ count: 5, lastUsed: "2026-01-01T00:00:00Z" });
    expect(addUp(first, counted({ a: 2, b: 3 }), T0 + 1e9)).toEqual(first);
    expect(addUp(first, counted({ a: 2, b: 4 }), T0).count).toBe(6);
  });

  it("keeps what a process counted that is gone, and begins at zero with the one that follows", () => {
    const first = addUp(undefined, counted({ a: 2 }), T0);
    const gone = addUp(first, counted({ a: 3 }, []), T0);
    expect(gone).toEqual({ count: 3, lastUsed: "2026-01-01T00:00:00Z" });
    expect(addUp(gone, counted({ b: 1 }), T0)).toMatchObject({
      count: 4,
      processes: [{ id: "b", count: 1 }],
    });
  });

  it("says nothing where nothing was used", () => {
    expect(addUp(undefined, counted({}), T0)).toEqual({});
  });

  it("takes no moment that lies ahead, neither a replica's nor one it wrote itself by a wrong clock", () => {
    const ahead = { totals: new Map([["a", use(1, T0 + 1e12)]]), living: new Set(["a"]) };
    const first = addUp(undefined, ahead, T0);
    expect(first.lastUsed).toBe("2026-01-01T00:00:00Z");
    expect(addUp(first, ahead, T0 + 60_000)).toEqual(first);
    expect(addUp({ count: 1, lastUsed: "2126-01-01T00:00:00Z" }, counted({}), T0).lastUsed).toBe(
      first.lastUsed,
    );
  });

  it("comes to what was counted, however often, when and by whom it is added up", () => {
    const process = fc.constantFrom("a", "b", "c");
    const step = fc.oneof(
      fc.record({ does: fc.constant("use" as const), process }),
      fc.record({ does: fc.constant("restart" as const), process }),
      fc.record({ does: fc.constant("write" as const), process }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let status: ExceptionUsage | undefined;
        const now = { a: 0, b: 0, c: 0 };
        const ids = { a: "a0", b: "b0", c: "c0" };
        const gone = new Map<string, ExceptionUse>();
        let real = 0;
        const write = () => {
          const live = (["a", "b", "c"] as const).filter((p) => now[p] > 0);
          const totals = new Map([...gone, ...live.map((p) => [ids[p], use(now[p])] as const)]);
          status = addUp(status, { totals, living: new Set(live.map((p) => ids[p])) }, T0);
          gone.clear();
        };
        for (const [index, { does, process: p }] of steps.entries()) {
          if (does === "use") {
            now[p]++;
            real++;
          } else if (does === "restart") {
            if (now[p] > 0) gone.set(ids[p], use(now[p]));
            now[p] = 0;
            ids[p] = `${p}${index + 1}`;
          } else write();
        }
        write();
        expect(status?.count ?? 0).toBe(real);
      }),
    );
  });
});

describe("withObjects", () => {
  it("counts one as needed until its last object was gone", () => {
    const needed = withObjects({}, 2, T0);
    expect(needed).toEqual({ objects: 2 });
    expect(withObjects(needed, undefined, T0)).toBe(needed);
    expect(withObjects(needed, 0, T0)).toEqual({ objects: 0, lastUsed: "2026-01-01T00:00:00Z" });
    expect(withObjects({}, 0, T0)).toEqual({});
  });
});

describe("approvedBy", () => {
  it("is whoever made the newest generation there is", () => {
    const by = (generation: number, user: string) => ({ uid: "u", generation, user });
    expect(approvedBy(undefined, by(1, "jane"), 1)).toEqual({ user: "jane", generation: 1 });
    expect(approvedBy({ user: "jane", generation: 1 }, by(3, "joe"), 2)).toEqual({
      user: "jane",
      generation: 1,
    });
    expect(approvedBy({ user: "jane", generation: 2 }, by(1, "joe"), 2)).toEqual({
      user: "jane",
      generation: 2,
    });
    expect(approvedBy({ user: "jane", generation: 1 }, undefined, 2)).toEqual({
      user: "jane",
      generation: 1,
    });
  });
});

describe("ExceptionUses", () => {
  const lease = (process: string, count: number, approver?: string) => {
    const uses = formatExceptionUses({ process, uses: [use(count)] });
    const approvals = approver && formatExceptionApprovals([{ uid: "u", generation: 1, user: approver }]);
    const annotations = {
      ...(uses === undefined ? {} : { [ANNOTATION.exceptionUses]: uses }),
      ...(approvals ? { [ANNOTATION.exceptionApprovals]: approvals } : {}),
    };
    return { metadata: { name: `lease-${process}`, annotations } };
  };

  it("writes what a process counted last also when it is gone before that was written", () => {
    const uses = new ExceptionUses();
    uses.lead(true);
    const told: string[] = [];
    uses.onTold((uids) => told.push(...uids));
    uses.observe([lease("a", 2, "jane")]);
    uses.observe([lease("a", 5)]);
    uses.observe([]);
    expect(told).toEqual(["u", "u"]);
    expect(uses.approval("u")).toMatchObject({ user: "jane" });
    const usage = uses.usage("u", "n/e", undefined, T0);
    expect(usage).toMatchObject({ count: 5 });
    expect(usage.processes).toBeUndefined();
    uses.wrote("u", usage, 0);
    // The cache may not show yet what was written.
    expect(uses.usage("u", "n/e", undefined, T0)).toEqual(usage);
  });

  it("as a standby remembers nothing that the leader may have written already", () => {
    const uses = new ExceptionUses();
    uses.observe([lease("a", 5)]);
    uses.observe([lease("b", 1)]);
    uses.lead(true);
    const status = { count: 6, processes: [{ id: "b", count: 1 }] };
    expect(uses.usage("u", "n/e", status, T0).count).toBe(6);
  });

  it("knows of objects once the audit does", () => {
    const uses = new ExceptionUses();
    uses.lead(true);
    const heard: unknown[] = [];
    uses.onAudited((keys) => heard.push(keys));
    expect(uses.objects("n/e")).toBeUndefined();
    uses.audited(new Map([["n/e", 2]]), ["n/e"]);
    expect([uses.objects("n/e"), uses.objects("n/other")]).toEqual([2, 0]);
    uses.audited(new Map(), []);
    uses.audited(new Map(), ["n/e"]);
    expect(heard).toEqual(["all", ["n/e"]]);
  });
});
