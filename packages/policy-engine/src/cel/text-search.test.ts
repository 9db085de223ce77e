import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { indexIn, lastIndexIn, splitAt } from "./text-search.ts";

/** Long enough for the search of its own, of few letters so that parts recur. */
const long = fc
  .tuple(fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 12 }), fc.nat({ max: 40 }))
  .map(([text, times]) => `${text.repeat(times)}${"ab".repeat(40_000)}${text}`);
const part = fc
  .tuple(fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 12 }), fc.nat({ max: 30 }))
  .map(([text, times]) => `${text}${"ab".repeat(times)}`)
  .filter((text) => text.length > 0);

describe("searching a text", () => {
  it("finds what JavaScript finds", () => {
    fc.assert(
      fc.property(long, part, fc.nat({ max: 90_000 }), (text, wanted, from) => {
        expect(indexIn(text, wanted, from)).toBe(text.indexOf(wanted, from));
        expect(lastIndexIn(text, wanted, from)).toBe(text.lastIndexOf(wanted, from));
        expect(splitAt(text, wanted).length).toBe(text.split(wanted).length);
      }),
      { numRuns: 60, seed: 20_260_101 },
    );
  });

  it("takes linear time", () => {
    const text = "a".repeat(400_000);
    const started = process.threadCpuUsage();
    expect(lastIndexIn(text, `${"a".repeat(200_000)}b`, text.length)).toBe(-1);
    expect(indexIn(text, `b${"a".repeat(200_000)}`)).toBe(-1);
    expect(splitAt(text, `${"a".repeat(200_000)}b`)).toEqual([text]);
    const { user, system } = process.threadCpuUsage(started);
    expect((user + system) / 1_000).toBeLessThan(1_000);
  });
});
