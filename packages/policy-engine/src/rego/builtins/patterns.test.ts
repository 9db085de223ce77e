import { describe, expect, it } from "vitest";
import { call } from "./builtins.test-kit.ts";

describe("glob.match", () => {
  it.each([
    ["*.github.com", ["."], "api.github.com", true],
    ["*.github.com", ["."], "a.b.github.com", false],
    ["**.github.com", ["."], "a.b.github.com", true],
    ["{*.,}google*", null, "agoogle.com", false],
    ["{a,}{a,}a", null, "a", true],
    ["[!a-c]at", null, "bat", false],
    ["ångstr?m", null, "ångström", true],
    ["a\\*b,c}", null, "a*b,c}", true],
    ["a*ant", null, "ant", false],
    ["{,*.}x", null, "y.x", true],
    ["?", ["/"], "/", false],
  ])("%s with %j of %s", (pattern, separators, text, expected) => {
    expect(call("glob.match", pattern, separators, text)).toBe(expected);
  });

  it.each(["[", "[]", "[a-", "{a", "a\\", "[z-a]"])("refuses %s", (pattern) => {
    expect(() => call("glob.match", pattern, null, "x")).toThrow("glob: syntax error");
  });

  it("takes time in proportion", () => {
    const began = performance.now();
    expect(call("glob.match", `${"{a*,a*}".repeat(30)}b`, null, "a".repeat(2_000))).toBe(false);
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});

describe("regex", () => {
  it("finds, splits and replaces as Go does", () => {
    expect(call("regex.find_n", "a*", "baaac", -1)).toEqual(["", "aaa", ""]);
    expect(call("regex.split", "a*", "baac")).toEqual(["b", "c"]);
    expect(call("regex.split", "", "ab")).toEqual(["a", "b"]);
    expect(call("regex.replace", "foo-bar", "(?P<x>\\w+)-(\\w+)", `\${2}_$x $1x $$ $`)).toBe("bar_foo  $ $");
    expect(call("regex.find_all_string_submatch_n", "(a)|b", "ab", -1)).toEqual([
      ["a", "a"],
      ["b", ""],
    ]);
    expect(call("regex.replace", "foo", "^[a-z]", "F")).toBe("Foo");
  });

  it("refuses what RE2 refuses", () => {
    expect(call("regex.is_valid", "(?<=a)b")).toBe(false);
    expect(call("regex.is_valid", "(a)\\1")).toBe(false);
    expect(() => call("regex.match", "(", "x")).toThrow("missing closing )");
  });

  it("matches templates", () => {
    expect(call("regex.template_match", "urn:foo:{.*}", "urn:foo:bar:baz", "{", "}")).toBe(true);
    expect(() => call("regex.template_match", "a{b", "x", "{", "}")).toThrow('unbalanced braces in "a{b"');
  });
});

describe("regex.globs_match", () => {
  it.each([
    ["a.a.[0-9]+z", ".b.b2359825792*594823z", true],
    ["[a-z]+", "[0-9]*", false],
    ["a*", "b*", false],
    ["a*b*", "b+", true],
    ["x.*y", "xy", true],
  ])("%s and %s", (left, right, expected) => {
    expect(call("regex.globs_match", left, right)).toBe(expected);
  });

  it("takes time in proportion", () => {
    const began = performance.now();
    expect(call("regex.globs_match", ".*a".repeat(200), ".*b".repeat(200))).toBe(false);
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});

describe("semver", () => {
  it("orders", () => {
    const order = [
      "1.0.0-alpha",
      "1.0.0-alpha.1",
      "1.0.0-alpha.beta",
      "1.0.0-beta.2",
      "1.0.0-beta.11",
      "1.0.0",
      "v2.0.0",
    ];
    for (const [index, left] of order.entries())
      for (const [other, right] of order.entries())
        expect(call("semver.compare", left, right)).toBe(Math.sign(index - other));
    expect(call("semver.is_valid", "1.2.3+a.b")).toBe(true);
    expect(call("semver.is_valid", "1.2")).toBe(false);
  });
});
