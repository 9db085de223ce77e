import { describe, expect, it } from "vitest";
import { replaceText, splitText } from "./ext/text.ts";
import { splitInWindows } from "./text-search.ts";
import { countWith, WorkMeter } from "./work.ts";

/** Texts of several windows, with separators across their borders. */
const texts = ["a".repeat(150_001), "ab".repeat(70_003), `${"x".repeat(65_535)}${"ababaaba".repeat(9_000)}`];
const separators = ["a", "ab", "aba", "aa", "abab"];

describe("a long text", () => {
  it.each(separators)(
    "is split at %j as JavaScript splits it, whole or the first parts of it",
    (separator) => {
      for (const text of texts) {
        const parts = text.split(separator);
        expect([...splitInWindows(text, separator)].flat()).toEqual(parts);
        expect(splitText(text, separator, 3)).toEqual(
          parts.length <= 3 ? parts : [...parts.slice(0, 2), parts.slice(2).join(separator)],
        );
        expect(replaceText(text, separator, "-", -1)).toBe(text.replaceAll(separator, "-"));
      }
    },
  );

  it("has a text put between its code points, as many as asked for", () => {
    const text = "😀a".repeat(40_000);
    expect(replaceText(text, "", "-", -1)).toBe(`-${[...text].join("-")}-`);
    expect(replaceText(text, "", "-", 2)).toBe(`-😀-${text.slice(2)}`);
    expect(replaceText("", "", "-", 5)).toBe("-");
  });

  it("lets the clock be looked at while it is changed", () => {
    let looks = 0;
    const outer = countWith(new WorkMeter(() => ++looks < 0));
    try {
      replaceText("a".repeat(1_000_000), "a", "bb", -1);
    } finally {
      countWith(outer);
    }
    expect(looks).toBeGreaterThan(5);
  });
});
