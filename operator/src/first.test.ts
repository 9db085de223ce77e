import fc from "fast-check";
import { expect, it } from "vitest";
import { first } from "./first.ts";

it("takes what sorting all would put first", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer()), fc.integer({ min: 0, max: 20 }), (items, count) => {
      const compare = (a: number, b: number): number => a - b;
      expect(first(items, count, compare)).toEqual([...items].sort(compare).slice(0, count));
    }),
  );
});
