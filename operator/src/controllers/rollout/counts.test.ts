import { MAX_ROLLOUT_SHARES, type RolloutCounts } from "@shieldx/crds";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addUp, type Counted, NOTHING_COUNTED, type ProcessCounts } from "./counts.ts";
import { exceededLimit } from "./limits.ts";

const of = (requests: number, over: Partial<RolloutCounts> = {}): RolloutCounts => ({
  ...NOTHING_COUNTED,
  requests,
  ...over,
});
const told = (process: string, requests: number): ProcessCounts => ({ process, counts: of(requests) });

describe("addUp", () => {
  it("counts each process once, whoever adds up how often and in whatever order", () => {
    const step = fc.record({
      process: fc.integer({ min: 0, max: 5 }),
      more: fc.nat(50),
      isLost: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const totals = new Map<string, number>();
        let status: Partial<Counted> = {};
        for (const { process, more, isLost } of steps) {
          const id = `process-${process}`;
          totals.set(id, (totals.get(id) ?? 0) + more);
          // What one leader sees: some of the Leases, and perhaps a report that is older than what was counted.
          const seen = [told(id, totals.get(id) ?? 0), told(id, Math.max(0, (totals.get(id) ?? 0) - 3))];
          if (!isLost) status = addUp(addUp(status, seen), seen);
        }
        status = addUp(
          status,
          [...totals].map(([id, count]) => told(id, count)),
        );
        const expected = [...totals.values()].reduce((sum, count) => sum + count, 0);
        expect(status.counts?.requests).toBe(expected);
      }),
    );
  });

  it("keeps what processes counted that are gone, also where there are more than shares", () => {
    let status: Partial<Counted> = {};
    for (let at = 0; at < 3 * MAX_ROLLOUT_SHARES; at++) status = addUp(status, [told(`process-${at}`, 2)]);
    expect(status.counts?.requests).toBe(6 * MAX_ROLLOUT_SHARES);
    expect(status.processes).toHaveLength(MAX_ROLLOUT_SHARES);
  });
});

describe("exceededLimit", () => {
  const limits = { maxDenialPercent: 10, maxErrorPercent: 2, maxLatencyMilliseconds: 50, minRequests: 20 };

  it("is none before enough requests were judged, nor at the limit", () => {
    expect(exceededLimit(limits, of(19, { denied: 19 }))).toBeUndefined();
    expect(exceededLimit(limits, of(20, { denied: 2 }))).toBeUndefined();
    expect(exceededLimit(undefined, of(20, { denied: 20 }))).toBeUndefined();
  });

  it.each([
    [
      "DenialRate",
      of(20, { denied: 3 }),
      "3 of 20 requests (15 %) were refused, or would have been, more than maxDenialPercent 10",
    ],
    [
      "ErrorRate",
      of(100, { errors: 3 }),
      "3 of 100 requests (3 %) could not be judged, more than maxErrorPercent 2",
    ],
    ["Latency", of(100, { slow: 2 }), "2 of 100 requests (2 %) took longer than maxLatencyMilliseconds 50"],
  ])("tells %s by its figures", (reason, counts, message) => {
    expect(exceededLimit(limits, counts)).toMatchObject({
      reason,
      message: expect.stringContaining(message),
    });
  });

  it("of 0 percent is exceeded by one", () => {
    const none = { maxDenialPercent: 0, minRequests: 1 };
    expect(exceededLimit(none, of(1_000_000, { denied: 1 }))?.message).toContain("(0 %)");
    expect(exceededLimit(none, of(1_000_000))).toBeUndefined();
  });
});
