import { MAX_REPORTED_USES, parseExceptionApprovals, parseExceptionUses } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { ExceptionTally } from "./exception-tally.ts";

function setUp() {
  let now = 0;
  let told = 0;
  const tally = new ExceptionTally({
    process: "one",
    uidOf: (key) => (key === "gone" ? undefined : `uid-${key}`),
    now: () => ++now,
    onApproval: () => {
      told++;
    },
  });
  return { tally, uses: () => parseExceptionUses(tally.report().exceptionUses)?.uses, told: () => told };
}

describe("ExceptionTally", () => {
  it("tells totals since the process began", () => {
    const { tally, uses } = setUp();
    expect(tally.hasNews).toBe(false);
    expect(uses()).toBeUndefined();
    for (const key of ["a", "b", "a", "gone"]) tally.used(key);
    expect(tally.hasNews).toBe(true);
    const expected = [
      { uid: "uid-a", count: 2, lastUsedMs: 3 },
      { uid: "uid-b", count: 1, lastUsedMs: 2 },
    ];
    expect(uses()).toEqual(expect.arrayContaining(expected));
    expect(tally.hasNews).toBe(false);
    expect(uses()).toHaveLength(2);
  });

  it("tells everything in turn where it does not fit at once", () => {
    const { tally, uses } = setUp();
    const all = Array.from({ length: MAX_REPORTED_USES * 2 + 5 }, (_, n) => `${n}`);
    for (const key of all) tally.used(key);
    const seen = new Set<string>();
    for (let round = 0; round < 3; round++) for (const { uid } of uses() ?? []) seen.add(uid);
    expect(seen.size).toBe(all.length);
    expect(tally.hasNews).toBe(false);
  });

  it("tells who approved at once, the last of each", () => {
    const { tally, told } = setUp();
    tally.approved({ uid: "u", generation: 1, user: "jane" });
    tally.approved({ uid: "u", generation: 2, user: "joe" });
    expect(told()).toBe(2);
    expect(parseExceptionApprovals(tally.report().exceptionApprovals)).toEqual([
      { uid: "u", generation: 2, user: "joe" },
    ]);
  });
});
