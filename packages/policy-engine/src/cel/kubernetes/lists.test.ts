import { describe, expect, it } from "vitest";
import { CelWorkError } from "../errors.ts";
import { CelUint } from "../values.ts";
import { errorOf, evaluate, evaluateToJson } from "./evaluate.test-kit.ts";
import { regexLibraryWith } from "./regex.ts";

describe("lists", () => {
  it("are sorted or not", () => {
    expect(
      evaluate(
        "[[1, 2, 2].isSorted(), ['b', 'a'].isSorted(), [].isSorted(), [false, true].isSorted(), [1, double('NaN'), 0].isSorted()]",
      ),
    ).toEqual([true, false, true, true, true]);
  });

  it("have sums of their type", () => {
    expect(evaluate("[1, 3].sum()")).toBe(4);
    expect(evaluate("[].sum()")).toBe(0);
    expect(evaluate("[1u, 3u].sum()")).toEqual(new CelUint(4n));
    expect(evaluateToJson("[0.5, 0.25].sum()")).toBe(0.75);
    expect(evaluate("[duration('1m'), duration('1s')].sum() == duration('61s')")).toBe(true);
    expect(errorOf("[9223372036854775807, 1].sum()")).toBe("integer overflow");
    expect(errorOf("list.sum()", { list: [1, "a"] })).toBe("no such overload");
  });

  it("have a least and a greatest element, the first of equal ones", () => {
    expect(evaluate("[[3, 1, 2].min(), [3, 1, 2].max()]")).toEqual([1, 3]);
    expect(evaluate("['ｱ', '😀'].max()")).toBe("😀");
    expect(errorOf("[].min()")).toBe("min called on empty list");
    expect(errorOf("list.max()", { list: [1, null] })).toBe("no such overload");
  });

  it("are searched by CEL's equality", () => {
    expect(evaluate("[[1, 2, 2].indexOf(2.0), [1, 2, 2].lastIndexOf(2u), [1].indexOf(5)]")).toEqual([
      1, 2, -1,
    ]);
    expect(evaluate("[[1, 2].includes(2), 'a'.includes('a'), [ip('::1')].includes('::1')]")).toEqual([
      true,
      true,
      false,
    ]);
  });
});

describe("sets", () => {
  it("contain, equal and meet each other", () => {
    expect(
      evaluate(
        `[sets.contains([1, 2.0, 3u], [1.0, 2u]), sets.contains([], [1]), sets.equivalent([1], [1, 1u]),
          sets.intersects([[1], [2, 3]], [[2, 3.0]]), sets.intersects([], [1])]`,
      ),
    ).toEqual([true, false, true, true, false]);
  });
});

describe("regex", () => {
  it("finds as Go's regexp does", () => {
    expect(evaluate("'abc 123'.find('[0-9]+')")).toBe("123");
    expect(evaluate("'abc'.find('x')")).toBe("");
    expect(evaluate("'123 abc 456'.findAll('[0-9]*')")).toEqual(["123", "", "", "", "", "456"]);
    expect(evaluate("'1 2 3'.findAll('[0-9]', 2)")).toEqual(["1", "2"]);
    expect(evaluate("'1'.findAll('1', 0)")).toEqual([]);
    expect(errorOf("'a'.find(p)", { p: "[a" })).toBe(
      "Illegal regex: error parsing regexp: missing closing ]: `[a`",
    );
  });

  it("takes linear time for one match", () => {
    const started = performance.now();
    expect(evaluate("s.find('(a+)+$')", { s: `${"a".repeat(20_000)}b` })).toBe("");
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  it("gives up a search for all matches that takes too long", () => {
    const findAll = (computedMs: () => number, text: string) => {
      const { overloads } = regexLibraryWith(computedMs).functions.find(({ name }) => name === "findAll")!;
      return overloads[0]!.call(text, "a.*b|a|\n");
    };
    let clock = 0;
    expect(() => findAll(() => (clock += 100), "a".repeat(50_000))).toThrow(CelWorkError);
    expect(findAll(() => 0, "\n".repeat(20_000))).toHaveLength(20_000);
  });

  it("never looks at the clock in a short search", () => {
    const { overloads } = regexLibraryWith(() => {
      throw new Error("looked");
    }).functions.find(({ name }) => name === "findAll")!;
    expect(overloads[0]!.call("a".repeat(300), "a")).toHaveLength(300);
  });
});
