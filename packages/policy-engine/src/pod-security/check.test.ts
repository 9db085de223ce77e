import fc from "fast-check";
import { expect, it } from "vitest";
import { byCodePoint, sortedUnique } from "./check.ts";

it("orders strings as their UTF-8 bytes are ordered", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary" })), (texts) => {
      const bytes = (text: string) => Buffer.from(text, "utf8");
      const expected = [...texts].sort((a, b) => Buffer.compare(bytes(a), bytes(b)));
      expect([...texts].sort(byCodePoint)).toEqual(expected);
    }),
  );
  expect(sortedUnique(["\uffff", "\u{1f600}", "a", "a"])).toEqual(["a", "\uffff", "\u{1f600}"]);
});
