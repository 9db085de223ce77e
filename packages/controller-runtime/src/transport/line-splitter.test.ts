import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LineSplitter, LineTooLongError } from "./line-splitter.ts";

const line = fc
  .string({ unit: "binary", maxLength: 40 })
  .map((text) => text.replaceAll("\n", "⏎").toWellFormed());

/** Cuts `bytes` at the given places, wherever those fall. */
function chunksOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((start, index) => bytes.subarray(start, places[index] ?? bytes.length));
}

describe("LineSplitter", () => {
  it("returns the same lines however the bytes are cut, inside multi-byte characters too", () => {
    fc.assert(
      fc.property(
        fc.array(line, { size: "large" }),
        fc.array(fc.nat(2_000), { maxLength: 60, size: "max" }),
        (lines, cuts) => {
          const splitter = new LineSplitter(1_000);
          const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(""), "utf8");
          const got = chunksOf(bytes, cuts).flatMap((chunk) => splitter.push(Buffer.from(chunk)));
          expect(got).toEqual(lines.filter((text) => text !== ""));
          expect(splitter.heldBytes).toBe(0);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("keeps an unfinished line back, and hands it out as the rest", () => {
    const splitter = new LineSplitter(100);
    const bytes = Buffer.from('{"a":"ü"}\n{"b":"€', "utf8");
    expect(splitter.push(bytes.subarray(0, bytes.length - 2))).toEqual(['{"a":"ü"}']);
    expect(splitter.push(bytes.subarray(bytes.length - 2))).toEqual([]);
    expect(splitter.takeRest()).toBe('{"b":"€');
    expect(splitter.heldBytes).toBe(0);
  });

  it("refuses a line beyond its bound, in one chunk or many, before holding it", () => {
    expect(() => new LineSplitter(10).push(Buffer.from("12345678901\n"))).toThrow(LineTooLongError);
    const slow = new LineSplitter(10);
    const feed = () => {
      for (let byte = 0; byte < 100; byte++) slow.push(Buffer.from("x"));
    };
    expect(feed).toThrow(LineTooLongError);
    expect(slow.heldBytes).toBe(10);
  });
});
