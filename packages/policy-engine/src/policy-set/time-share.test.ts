import { expect, it } from "vitest";
import { TimeShare } from "./time-share.ts";

it("lets decisions have their share of the time, and no more", () => {
  const share = new TimeShare(0.5, 100, 0);
  expect(share.waitMs(0)).toBe(0);
  share.used(300);
  // 200 ms too much: at half the time it takes 400 ms, and a little, until there is some again.
  expect(share.waitMs(0)).toBe(402);
  expect(share.waitMs(300)).toBeGreaterThan(0);
  expect(share.waitMs(402)).toBe(0);
  expect(share.waitMs(1_000_000)).toBe(0);
  share.used(99);
  expect(share.waitMs(1_000_000)).toBe(0);
  share.used(2);
  expect(share.waitMs(1_000_000)).toBeGreaterThan(0);
});
