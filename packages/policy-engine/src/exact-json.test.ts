import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exactJsonText, parseExactJson } from "./exact-json.ts";

describe("exact JSON", () => {
  it("keeps every int64, written and read", () => {
    const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    fc.assert(
      fc.property(int64, (value) => {
        const read = parseExactJson(`{"a":[${value}]}`) as { a: [number | bigint] };
        expect(typeof read.a[0]).toBe(Number.isSafeInteger(Number(value)) ? "number" : "bigint");
        expect(exactJsonText(read)).toBe(`{"a":[${value}]}`);
      }),
    );
  });

  it.each([
    ["9007199254740991", 9007199254740991],
    ["9007199254740992", 9007199254740992n],
    ["9223372036854775807", 9223372036854775807n],
    ["9223372036854775808", 2 ** 63],
    ["-9223372036854775809", -(2 ** 63)],
    ["9007199254740993.0", 9007199254740992],
    ["9007199254740993e0", 9007199254740992],
    ['"9007199254740993"', "9007199254740993"],
  ])("reads %s", (text, value) => {
    expect(parseExactJson(text)).toBe(value);
  });

  it("reads everything else as JSON.parse does", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const digits = `{"long":"1234567890123456","value":${text},"__proto__":{"a":1}}`;
        expect(exactJsonText(parseExactJson(digits))).toBe(JSON.stringify(JSON.parse(digits)));
      }),
    );
    expect(() => parseExactJson("{1234567890123456}")).toThrow(SyntaxError);
  });
});
