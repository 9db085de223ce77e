import { describe, expect, it } from "vitest";
import type { ShieldPolicyObject } from "./kinds.ts";
import { TamperingTimes } from "./tampering-times.ts";

const start = Date.parse("2026-12-01T10:00:00Z");
const iso = (ms: number): string => new Date(ms).toISOString();
const policy = (createdMs: number, enforcedMs: number) =>
  ({
    metadata: { name: "guarded", creationTimestamp: iso(createdMs) },
    status: {
      enforcedBy: "Webhook",
      conditions: [{ type: "Enforced", status: "True", lastTransitionTime: iso(enforcedMs) }],
    },
  }) as unknown as ShieldPolicyObject;

describe("times of tampering", () => {
  const times = (sinceStartMs: number) => {
    let now = 0;
    const all = new TamperingTimes({ now: () => start, monotonicNow: () => now });
    now = sinceStartMs;
    all.note("shieldx-policies-fail", "webhook", "it was deleted");
    return all;
  };

  it("are of policies that were there", () => {
    expect(times(60_000).of(policy(start - 60_000, start))).toMatchObject([
      { fromMs: start - 5_000, untilMs: start, isUnseen: false },
    ]);
  });

  it("are not of a policy that was made afterwards, nor do they begin before one", () => {
    expect(times(60_000).of(policy(start + 1_000, start + 2_000))).toEqual([]);
    expect(times(60_000).of(policy(start, start))).toEqual([]);
    expect(times(60_000).of(policy(start - 2_000, start))).toMatchObject([{ fromMs: start - 2_000 }]);
    const unseen = times(0);
    unseen.saw(policy(start - 60_000, start - 50_000));
    // Another one by that name.
    expect(unseen.of(policy(start - 2_000, start))).toMatchObject([
      { fromMs: start - 2_000, isUnseen: true },
    ]);
  });
});
