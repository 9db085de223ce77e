import { describe, expect, it } from "vitest";
import { indexIn, splitAt, TextSearch } from "./text-search.ts";

describe("text search", () => {
  it("finds what V8 finds", () => {
    let seed = 7;
    const draw = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((seed / 2_147_483_648) * below);
    };
    const text = (length: number) => Array.from({ length }, () => "ab"[draw(2)]).join("");
    for (let round = 0; round < 2_000; round++) {
      const whole = text(draw(200)).repeat(1 + draw(3));
      const start = draw(whole.length);
      const part = draw(3) === 0 ? text(1 + draw(40)) : whole.slice(start, start + 1 + draw(60)) || "a";
      const from = draw(whole.length + 2);
      expect(indexIn(whole, part, from)).toBe(whole.indexOf(part, from));
      expect(splitAt(whole, part)).toEqual(whole.split(part));
      const all: number[] = [];
      for (let at = whole.indexOf(part); at >= 0; at = whole.indexOf(part, at + 1)) all.push(at);
      expect(new TextSearch(part).all(whole)).toEqual(all);
    }
  });

  it("takes time in proportion to the text", () => {
    const started = performance.now();
    expect(indexIn("a".repeat(1_500_000), `b${"a".repeat(700_000)}`)).toBe(-1);
    expect(indexIn("a".repeat(1_500_000), `${"a".repeat(700_000)}b`)).toBe(-1);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
