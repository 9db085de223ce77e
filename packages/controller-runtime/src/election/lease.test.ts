import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runElection } from "./election-simulation.test-kit.ts";
import { defaultLeaseTiming, LeaseElection, type ObservedLease } from "./lease.ts";
import { parseMicroTime } from "./micro-time.ts";

const wall = Date.UTC(2026, 0, 1);

function held(by: string, version = "1", seconds = 15): ObservedLease {
  return {
    resourceVersion: version,
    uid: "lease-uid",
    spec: { holderIdentity: by, leaseDurationSeconds: seconds, renewTime: "2026-01-01T00:00:00.000000Z" },
  };
}

function candidate(identity = "me"): LeaseElection {
  const election = new LeaseElection(identity, defaultLeaseTiming, () => 0.5);
  election.setWatching(true);
  return election;
}

function leader(): LeaseElection {
  const election = candidate();
  election.wasRead(undefined, 0);
  election.wasWritten(held("me"), 0, 10);
  return election;
}

describe("a standby", () => {
  it("creates the Lease when there is none", () => {
    const election = candidate();
    expect(election.next(0, wall).kind).toBe("read");
    election.wasRead(undefined, 5);
    const command = election.next(5, wall);
    expect(command).toMatchObject({
      kind: "create",
      spec: {
        holderIdentity: "me",
        leaseDurationSeconds: 15,
        leaseTransitions: 0,
        renewTime: "2026-01-01T00:00:00.000000Z",
      },
    });
  });

  it("waits 15 s from the last version it saw, whatever the timestamps in the Lease say", () => {
    const election = candidate();
    const ancient = held("other");
    ancient.spec.renewTime = "1999-01-01T00:00:00.000000Z";
    election.wasRead(ancient, 1_000);
    expect(election.next(1_000, wall)).toEqual({ kind: "wait", untilMs: 16_000 });
    election.wasSeen(held("other", "2"), 9_000);
    expect(election.next(16_000, wall)).toEqual({ kind: "wait", untilMs: 24_000 });
    expect(election.next(24_000, wall)).toMatchObject({
      kind: "update",
      over: { resourceVersion: "2" },
      spec: { holderIdentity: "me", leaseTransitions: 1 },
    });
  });

  it("acts at once on a release", () => {
    const election = candidate();
    election.wasRead(held("other"), 0);
    election.wasSeen(held("", "2"), 3_000);
    expect(election.next(3_000, wall)).toMatchObject({ kind: "update", spec: { holderIdentity: "me" } });
  });

  it("waits for the former holder after the Lease was deleted", () => {
    const election = candidate();
    election.wasRead(held("other"), 0);
    election.wasDeleted("lease-uid");
    expect(election.next(10_000, wall)).toEqual({ kind: "wait", untilMs: 15_000 });
    expect(election.next(15_000, wall).kind).toBe("create");
  });

  it("keeps to the duration that the holder wrote", () => {
    const election = candidate();
    election.wasRead(held("other", "1", 60), 0);
    expect(election.next(15_000, wall)).toEqual({ kind: "wait", untilMs: 60_000 });
  });

  it("asks again and again while it cannot watch", () => {
    const election = candidate();
    election.setWatching(false);
    election.wasRead(held("other"), 0);
    expect(election.next(0, wall)).toEqual({ kind: "wait", untilMs: 3_200 });
    expect(election.next(3_200, wall).kind).toBe("read");
  });

  it("reads again after it lost the race", () => {
    const election = candidate();
    election.wasRead(held("other"), 0);
    election.wasRefused(15_000);
    expect(election.next(15_200, wall).kind).toBe("read");
    election.wasRead(held("third", "7"), 15_201);
    expect(election.next(15_201, wall)).toEqual({ kind: "wait", untilMs: 30_201 });
  });
});

describe("a leader", () => {
  it("renews every 2 s and may write until 10 s after it began the last renewal that succeeded", () => {
    const election = leader();
    expect(election.next(10, wall)).toEqual({ kind: "wait", untilMs: 2_000 });
    expect(election.next(2_000, wall).kind).toBe("update");
    election.wasWritten(held("me", "2"), 2_000, 4_500);
    expect(election.mayWrite(11_999)).toBe(true);
    expect(election.mayWrite(12_000)).toBe(false);
  });

  it("cannot write after a stall although no timer fired, and is lost", () => {
    const election = leader();
    expect(election.mayWrite(60_000)).toBe(false);
    expect(election.next(60_000, wall)).toMatchObject({
      kind: "stop",
      reason: expect.stringContaining("10000 ms"),
    });
    election.wasWritten(held("me", "9"), 9_000, 60_001);
    expect(election.mayWrite(60_001)).toBe(false);
  });

  it("does not take an old watch event for a loss, but asks", () => {
    const election = leader();
    election.wasSeen(held("other", "0"), 50);
    expect(election.role).toBe("leading");
    expect(election.mayWrite(50)).toBe(true);
    expect(election.next(50, wall).kind).toBe("read");
    election.wasRead(held("me"), 60);
    expect(election.role).toBe("leading");
  });

  it("is lost when the API server names another holder", () => {
    const election = leader();
    election.wasRefused(2_000);
    expect(election.next(2_200, wall).kind).toBe("read");
    election.wasRead(held("other", "5"), 2_210);
    expect(election.mayWrite(2_210)).toBe(false);
    expect(election.next(2_210, wall)).toMatchObject({
      kind: "stop",
      reason: expect.stringContaining("other"),
    });
  });

  it("writes nothing between the deletion of its Lease and its own new one", () => {
    const election = leader();
    election.wasDeleted("lease-uid");
    expect(election.mayWrite(20)).toBe(false);
    expect(election.next(20, wall).kind).toBe("create");
    election.wasWritten({ ...held("me"), uid: "new" }, 20, 30);
    expect(election.mayWrite(30)).toBe(true);
  });

  it("renews at once under the new version when only the answer to a renewal was lost", () => {
    const election = leader();
    election.hasFailed(4_000);
    expect(election.next(4_500, wall).kind).toBe("read");
    election.wasRead(held("me", "2"), 4_600);
    expect(election.next(4_600, wall)).toMatchObject({ kind: "update", over: { resourceVersion: "2" } });
  });

  it("releases by an empty holder and never writes again", () => {
    const election = leader();
    expect(election.release(wall)).toMatchObject({ spec: { holderIdentity: "", leaseDurationSeconds: 1 } });
    expect(election.mayWrite(20)).toBe(false);
    expect(election.release(wall)).toBeUndefined();
  });

  it("writes a renewTime that differs from the last even if the wall clock stands still", () => {
    const election = candidate();
    election.wasRead(undefined, 0);
    const first = election.next(0, wall);
    if (first.kind !== "create") throw new Error("expected a create");
    election.wasWritten({ resourceVersion: "1", uid: "u", spec: first.spec }, 0, 1);
    const second = election.next(2_000, wall);
    if (second.kind !== "update") throw new Error("expected an update");
    expect(parseMicroTime(second.spec.renewTime)).toBe(wall * 1000 + 1);
    expect(second.spec.acquireTime).toBe(first.spec.acquireTime);
  });
});

describe("timing", () => {
  it("refuses configurations in which two leaders could overlap or one failure loses", () => {
    const timing = { ...defaultLeaseTiming };
    expect(() => new LeaseElection("a", { ...timing, renewDeadlineMs: 15_000 }, Math.random)).toThrow(
      /overlap/,
    );
    expect(() => new LeaseElection("a", { ...timing, retryPeriodMs: 9_000 }, Math.random)).toThrow(
      /jitterFactor/,
    );
    expect(() => new LeaseElection("", timing, Math.random)).toThrow(/identity/);
  });
});

describe("many candidates under partitions, lost answers, skewed clocks, stalls, kills and restarts", () => {
  it("never lets two of them begin a write at once", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 2, max: 5 }), (seed, candidates) => {
        const result = runElection({ seed, candidates, durationMs: 240_000 });
        expect(result.overlaps).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it("would notice: with a deadline beyond the lease two write at once", () => {
    let overlapped = 0;
    for (let seed = 0; seed < 60; seed++) {
      overlapped += runElection({ seed, candidates: 4, durationMs: 240_000, leaderOverstaysMs: 12_000 })
        .overlaps.length;
    }
    expect(overlapped).toBeGreaterThan(0);
  });

  it("always finds a leader again once the network is whole", () => {
    for (let seed = 0; seed < 100; seed++) {
      const result = runElection({ seed, candidates: 3, durationMs: 240_000, calmAfterMs: 150_000 });
      expect(result.leaderAtEnd, `seed ${seed}`).toBeDefined();
    }
  });
});
