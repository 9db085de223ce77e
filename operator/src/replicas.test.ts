import { ANNOTATION } from "@shieldx/crds";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ReplicaLease, ReplicaTracker } from "./replicas.ts";

const T0 = Date.parse("2026-01-01T00:00:00Z");
const lease = (name: string, renewTime: number, over: object = {}): ReplicaLease => ({
  metadata: { name, uid: `uid-${name}`, annotations: { [ANNOTATION.policySetDigest]: "d1" } },
  spec: { renewTime: new Date(renewTime).toISOString(), holderIdentity: name, ...over },
});
const names = (found: readonly { name: string }[]) => found.map((replica) => replica.name);

describe("ReplicaTracker", () => {
  it("counts a fresh Lease at once and reads its annotations", () => {
    const tracker = new ReplicaTracker();
    const leases = [lease("a", T0 - 3000)];
    tracker.observe(leases, T0);
    expect(tracker.live(leases, T0)).toEqual([
      {
        name: "a",
        policySetDigest: "d1",
        kept: { policies: [], more: 0 },
        problems: [],
        servingLeaf: undefined,
        candidateLeaf: undefined,
      },
    ]);
  });

  it("does not count a Lease left over by a dead replica, but waits for it until three renewals were missed", () => {
    const tracker = new ReplicaTracker();
    const leases = [lease("dead", T0 - 3_600_000)];
    tracker.observe(leases, T0);
    expect(tracker.live(leases, T0)).toEqual([]);
    expect(names(tracker.possible(leases, T0 + 29_999))).toEqual(["dead"]);
    expect(tracker.possible(leases, T0 + 30_000)).toEqual([]);
  });

  it("counts a replica whose clock is an hour off from its first renewal", () => {
    const tracker = new ReplicaTracker();
    tracker.observe([lease("skewed", T0 - 3_600_000)], T0);
    const renewed = [lease("skewed", T0 - 3_590_000)];
    tracker.observe(renewed, T0 + 10_000);
    expect(names(tracker.live(renewed, T0 + 10_000))).toEqual(["skewed"]);
  });

  it("forgets a replica that gave its Lease up or whose Lease is gone", () => {
    const tracker = new ReplicaTracker();
    const released = [lease("a", T0, { holderIdentity: "" })];
    tracker.observe(released, T0);
    expect(tracker.live(released, T0)).toEqual([]);
    tracker.observe([], T0);
    expect(tracker.nextChangeMs(T0)).toBeUndefined();
  });

  it("holds a replica live exactly while the last renewal we saw is younger than 30 s", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 45_000 }), { maxLength: 20 }),
        fc.integer({ min: 0, max: 60_000 }),
        fc.integer({ min: -86_400_000, max: 86_400_000 }),
        (gaps, silence, skew) => {
          const tracker = new ReplicaTracker();
          let now = T0;
          tracker.observe([lease("a", now + skew)], now);
          for (const gap of gaps) {
            now += gap;
            tracker.observe([lease("a", now + skew)], now);
          }
          const leases = [lease("a", now + skew)];
          const isProven = gaps.length > 0 || Math.abs(skew) < 30_000;
          expect(tracker.live(leases, now + silence).length === 1).toBe(isProven && silence < 30_000);
          expect(tracker.possible(leases, now + silence).length === 1).toBe(silence < 30_000);
        },
      ),
    );
  });
});
