import { expect, it } from "vitest";
import { TenantTime } from "./time.ts";

it("lets each namespace have its share, and what it took is no other's loss", () => {
  let now = 0;
  const time = new TenantTime(() => now);
  expect(time.isUsedUp("a")).toBe(false);
  time.used("a", 600);
  expect(time.isUsedUp("a")).toBe(true);
  expect(time.isUsedUp("b")).toBe(false);
  // 100 ms too much, at a tenth of the time.
  now = 900;
  expect(time.isUsedUp("a")).toBe(true);
  now = 1_100;
  expect(time.isUsedUp("a")).toBe(false);
});

it("lets all together have half, and holds up those who took the most", () => {
  const time = new TenantTime(() => 0);
  for (let at = 0; at < 5; at++) time.used(`heavy-${at}`, 420);
  time.used("light", 10);
  expect(time.isUsedUp("heavy-0")).toBe(true);
  expect(time.isUsedUp("light")).toBe(false);
});

it("remembers so many namespaces", () => {
  const time = new TenantTime(() => 0);
  time.used("first", 600);
  for (let at = 0; at < 4_096; at++) time.used(`n${at}`, 0);
  expect(time.isUsedUp("first")).toBe(false);
  expect(time.isUsedUp("n4095")).toBe(false);
});
