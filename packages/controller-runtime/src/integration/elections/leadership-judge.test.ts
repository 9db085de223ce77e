import { expect, it } from "vitest";
import { lateWrites, percentile, takeoverMs } from "./leadership-judge.test-kit.ts";

const acquisitions = [
  { at: 0, holder: "a" },
  { at: 100, holder: "b" },
  { at: 150, holder: "" },
  { at: 200, holder: "c" },
];
const write = (at: number, by: string) => ({ at, by });
const late = (...writes: { at: number; by: string }[]) => lateWrites("lease", { acquisitions, writes });

it("accepts writes of each holder until the next one has the Lease", () => {
  expect(late(write(1, "a"), write(99, "a"), write(101, "b"), write(151, "b"), write(300, "c"))).toEqual([]);
});

it("finds a write after another took over, and one of somebody who never led", () => {
  expect(late(write(101, "a"))).toEqual(["lease: a write of a arrived 1.0 ms after b took over (101)"]);
  expect(late(write(201, "b"))).toHaveLength(1);
  expect(late(write(300, "a"))).toHaveLength(1);
  expect(late(write(50, "c"))).toEqual(["lease: c wrote without ever having had the Lease"]);
});

it("counts a takeover to the first write of another", () => {
  const record = { acquisitions, writes: [write(10, "a"), write(60, "a"), write(110, "b")] };
  expect(takeoverMs(record, 50, "a")).toBe(60);
  expect(takeoverMs(record, 120, "a")).toBe(Number.POSITIVE_INFINITY);
  expect([0.5, 0.99, 1].map((share) => percentile([3, 1, 2], share))).toEqual([2, 3, 3]);
});
