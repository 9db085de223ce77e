import { expect, it } from "vitest";
import { median, quantile } from "./statistics.ts";

it("takes the middle, whatever the order", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(() => median([])).toThrow(RangeError);
});

it("takes quantiles that were measured", () => {
  const hundred = Array.from({ length: 100 }, (_, at) => at + 1);
  expect(quantile(hundred, 0.99)).toBe(99);
  expect(quantile(hundred, 1)).toBe(100);
  expect(quantile([7], 0.5)).toBe(7);
});
