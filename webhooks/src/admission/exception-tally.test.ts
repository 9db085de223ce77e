import {
  MAX_REPORTED_APPROVALS,
  MAX_REPORTED_USES,
  parseExceptionApprovals,
  parseExceptionUses,
} from "@shieldx/crds";
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
  /** Writes the Lease. */
  const write = () => {
    const { exceptionUses, exceptionApprovals, written } = tally.report();
    written();
    return {
      uses: parseExceptionUses(exceptionUses)?.uses,
      approvals: parseExceptionApprovals(exceptionApprovals),
    };
  };
  return { tally, write, uses: () => write().uses, told: () => told };
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

  it("has told only what was written", () => {
    const { tally, uses } = setUp();
    const all = Array.from({ length: MAX_REPORTED_USES + 5 }, (_, n) => `${n}`);
    for (const key of all) tally.used(key);
    // This write fails.
    tally.report();
    const seen = new Set<string>();
    for (let round = 0; round < 2; round++) for (const { uid } of uses() ?? []) seen.add(uid);
    expect(seen.size).toBe(all.length);
    const { written } = tally.report();
    tally.used("0");
    written();
    expect(tally.hasNews).toBe(true);
  });

  it("tells all again and again, for an operator that began later, and the same text where nothing is new", () => {
    const { tally, uses } = setUp();
    const all = Array.from({ length: MAX_REPORTED_USES + 5 }, (_, n) => `${n}`);
    for (const key of all) tally.used(key);
    while (tally.hasNews) uses();
    const seen = new Set<string>();
    for (let round = 0; round < 2; round++) for (const { uid } of uses() ?? []) seen.add(uid);
    expect(seen.size).toBe(all.length);
    const few = setUp();
    for (const key of ["b", "a", "c"]) few.tally.used(key);
    few.write();
    few.tally.used("c");
    few.write();
    const { exceptionUses } = few.tally.report();
    few.write();
    expect(few.tally.report().exceptionUses).toBe(exceptionUses);
  });

  it("tells nothing of exceptions that are gone", () => {
    const { tally, write } = setUp();
    tally.used("a");
    tally.approved(approval(1, "jane", "uid-a"));
    tally.forget("uid-a");
    expect(write()).toEqual({ uses: undefined, approvals: [] });
    expect(tally.hasNews).toBe(false);
  });

  it("tells at once who approved, each of those whose request may be the one that counts", () => {
    const { tally, told, write } = setUp();
    tally.approved(approval(1, "jane"));
    tally.approved(approval(2, "joe"));
    tally.approved(approval(2, "refused-elsewhere"));
    tally.approved(approval(2, "joe"));
    expect(told()).toBe(4);
    expect(
      write()
        .approvals.map(({ user }) => user)
        .sort(),
    ).toEqual(["jane", "joe", "refused-elsewhere"]);
    expect(told()).toBe(4);
  });

  it("tells all approvals of a burst, asking to be written again while some are left", () => {
    const { tally, told, write } = setUp();
    const burst = MAX_REPORTED_APPROVALS * 2 + 5;
    for (let n = 0; n < burst; n++) tally.approved(approval(1, "argocd", `u${n}`));
    expect(told()).toBe(burst);
    const seen = new Set<string>();
    let writes = 0;
    for (; tally.hasNews; writes++) for (const { uid } of write().approvals) seen.add(uid);
    expect([seen.size, writes, told()]).toEqual([burst, 3, burst + 2]);
  });
});

function approval(generation: number, user: string, uid = "u") {
  return { uid, generation, user, specDigest: "d" };
}
