import { describe, expect, it } from "vitest";
import { byteLength, fromByteString, quote, quoteBytes, toByteString } from "./go-strings.ts";

describe("byte strings", () => {
  it("cut characters in half where Go does", () => {
    const bytes = toByteString("aé😀");
    expect(bytes).toHaveLength(7);
    expect(quoteBytes(bytes.slice(0, 2))).toBe('"a\\xc3"');
    expect(fromByteString(bytes)).toBe("aé😀");
    expect(fromByteString(bytes.slice(0, 5))).toBe("aé\ufffd\ufffd");
  });

  it("refuse what is no UTF-8: overlong forms, surrogates, code points that do not exist", () => {
    for (const bytes of ["\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\xff"]) {
      expect(fromByteString(bytes)).toBe("\ufffd".repeat(bytes.length));
    }
  });

  it("count bytes", () => {
    expect(byteLength("é")).toBe(2);
    expect(byteLength("\ud800")).toBe(3);
  });
});

describe("quote", () => {
  it("escapes as strconv.Quote does", () => {
    expect(quote('a"\\\n\u0000\u007fé\u200b\u{e0001}😀')).toBe(
      '"a\\"\\\\\\n\\x00\\x7fé\\u200b\\U000e0001😀"',
    );
  });
});
