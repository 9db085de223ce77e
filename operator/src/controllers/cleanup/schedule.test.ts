import { describe, expect, it } from "vitest";
import { LongestDue } from "./longest-due.ts";
import { clockProblem, isFirstRun, untilRunMs } from "./schedule.ts";

const now = Date.parse("2030-01-01T12:00:00Z");
const ran = (time: string, more: object = {}) => ({
  lastRun: { time, generation: 1, checked: 0, due: 0, deleted: 0, ...more },
});
const until = (status: Parameters<typeof untilRunMs>[0]["status"], annotations = {}, generation = 1) =>
  untilRunMs({ generation, annotations, spec: { every: "1h" }, status }, now);

describe("the next run", () => {
  it("is an interval after the last one, also for who has just started", () => {
    expect(until(ran("2030-01-01T11:30:00Z"))).toBe(1_800_000);
    expect(until(ran("2030-01-01T10:00:00Z"))).toBeLessThanOrEqual(0);
  });

  it("is at once for a policy that is new or was changed, or when somebody asks", () => {
    expect(until(undefined)).toBe(0);
    expect(until(ran("2030-01-01T11:59:00Z"), {}, 2)).toBe(0);
    expect(until(ran("2030-01-01T11:59:00Z"), { "shieldx.io/run": "a" })).toBe(0);
    expect(until(ran("2030-01-01T11:59:00Z", { request: "a" }), { "shieldx.io/run": "a" })).toBe(3_540_000);
  });

  it("is never further off than the interval, whatever the clock was", () => {
    expect(until(ran("2040-01-01T00:00:00Z"))).toBe(3_600_000);
  });

  it("is a first one where the policy has not run as it is written", () => {
    expect(isFirstRun({ status: undefined, generation: 1 })).toBe(true);
    expect(isFirstRun({ status: ran("2030-01-01T00:00:00Z"), generation: 2 })).toBe(true);
    expect(isFirstRun({ status: ran("2030-01-01T00:00:00Z"), generation: 1 })).toBe(false);
  });
});

describe("clocks", () => {
  const at = (serverMs: number, ownMs: number, monotonicMs: number) => ({ serverMs, ownMs, monotonicMs });
  const hour = 3_600_000;

  it("that are apart let nothing be deleted, in either direction", () => {
    expect(clockProblem(at(now, now, 0), undefined)).toBeUndefined();
    expect(clockProblem(at(now + 60_000, now, 0), undefined)).toBeUndefined();
    expect(clockProblem(at(now + 3 * hour, now, 0), undefined)).toContain("3 hours apart");
    expect(clockProblem(at(now, now + 3 * hour, 0), undefined)).toContain("3 hours apart");
  });

  it("that jump together let nothing be deleted once", () => {
    const before = at(now, now, 0);
    expect(clockProblem(at(now + hour, now + hour, hour), before)).toBeUndefined();
    const jumped = at(now + 100 * hour, now + 100 * hour, hour);
    expect(clockProblem(jumped, before)).toContain("jumped by 99 hours");
    expect(clockProblem(at(now + 101 * hour, now + 101 * hour, 2 * hour), jumped)).toBeUndefined();
    expect(clockProblem(at(now - hour, now - hour, hour), before)).toContain("jumped by 2 hours");
  });
});

describe("the longest due", () => {
  it("are kept out of any number, in order", () => {
    const due = new LongestDue<{ sinceMs: number }>(3);
    for (const sinceMs of [5, 9, 1, 7, 3, 8, 2]) due.offer({ sinceMs });
    expect(due.items.map(({ sinceMs }) => sinceMs)).toEqual([1, 2, 3]);
    expect(due.count).toBe(7);
  });
});
