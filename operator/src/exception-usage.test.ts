import type { ExceptionUse } from "@shieldx/crds";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addUp, type Counted, type ExceptionUsage, MOST_SHARES, withObjects } from "./exception-usage.ts";

const T0 = Date.parse("2026-01-01T00:00:00Z");
const use = (count: number, lastUsedMs = T0): ExceptionUse => ({ uid: "u", count, lastUsedMs });
/** Those in `away` are leaving, silent or gone; all others are living. */
const counted = (
  totals: Record<string, number>,
  away: Record<string, ReturnType<Counted["stateOf"]>> = {},
): Counted => ({
  totals: new Map(Object.entries(totals).map(([id, count]) => [id, use(count)])),
  stateOf: (id) => away[id] ?? "living",
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
    const leaving = addUp(first, counted({ a: 3 }, { a: "leaving" }), T0);
    expect(leaving).toMatchObject({ count: 3, processes: [{ id: "a", count: 3 }] });
    const gone = addUp(leaving, counted({}, { a: "gone" }), T0);
    expect(gone).toEqual({ count: 3, lastUsed: "2026-01-01T00:00:00Z" });
    expect(addUp(gone, counted({ b: 1 }), T0)).toMatchObject({
      count: 4,
      processes: [{ id: "b", count: 1 }],
    });
  });

  it("does not count again who is silent and may be part of what stays", () => {
    const silent = counted({ a: 5 }, { a: "silent" });
    expect(addUp({ count: 5 }, silent, T0)).toEqual({ count: 5 });
    const shared = { count: 5, processes: [{ id: "a", count: 5 }] };
    expect(addUp(shared, silent, T0)).toEqual(shared);
    expect(addUp(shared, counted({ a: 6 }, { a: "silent" }), T0).count).toBe(6);
  });

  it("does not climb with more processes than there may be shares", () => {
    const all = Object.fromEntries(Array.from({ length: MOST_SHARES + 9 }, (_, n) => [`p${n}`, 1]));
    const first = addUp(undefined, counted(all), T0);
    expect(first).toMatchObject({ count: MOST_SHARES });
    expect(first.processes).toHaveLength(MOST_SHARES);
    expect(addUp(first, counted(all), T0)).toEqual(first);
    // One that is dead makes room, and stays counted.
    const dead = addUp(first, counted(all, { p3: "silent" }), T0);
    expect(dead.count).toBe(MOST_SHARES + 1);
    expect(addUp(dead, counted(all, { p3: "silent" }), T0)).toEqual(dead);
  });

  it("says nothing where nothing was used", () => {
    expect(addUp(undefined, counted({}), T0)).toEqual({});
  });

  it("takes no moment of a replica that lies ahead", () => {
    const ahead = { ...counted({}), totals: new Map([["a", use(1, T0 + 1e12)]]) };
    const first = addUp(undefined, ahead, T0);
    expect(first.lastUsed).toBe("2026-01-01T00:00:00Z");
    expect(addUp(first, ahead, T0 + 60_000)).toEqual(first);
  });

  it("never takes a moment back that is written, by a clock that is behind", () => {
    const before = { count: 500, lastUsed: "2026-11-20T00:00:00Z" };
    const behind = Date.parse("2020-01-01T00:00:00Z");
    expect(addUp(before, counted({}), behind)).toEqual(before);
    expect(addUp(before, counted({ a: 1 }), behind)).toMatchObject({ count: 501, lastUsed: before.lastUsed });
    expect(withObjects({ ...before, objects: 1 }, 0, behind).lastUsed).toBe(before.lastUsed);
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
          const living = new Set(live.map((p) => ids[p]));
          const stateOf = (id: string) => (living.has(id) ? "living" : gone.has(id) ? "leaving" : "gone");
          status = addUp(status, { totals, stateOf }, T0);
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
