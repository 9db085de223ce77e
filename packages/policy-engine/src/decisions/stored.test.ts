import { expect, it } from "vitest";
import { conflictingPath } from "../rego/index.ts";

const data = JSON.parse('{"shop": {"limits": {"ann": 1}, "n": null}, "list": [1], "__proto__": 7}');

it.each([
  [["shop", "limits"], "shop.limits"],
  [["shop", "n"], "shop.n"],
  [["shop", "limits", "ann", "more"], "shop.limits.ann.more"],
  [["list", "0"], "list.0"],
  [["__proto__", "a"], "__proto__.a"],
])("a rule at %j stands where there is data", (path, told) => {
  expect(conflictingPath(data, [["fine"], path])?.join(".")).toBe(told);
});

it("a rule beside data is fine", () => {
  const beside = [
    ["shop", "allow"],
    ["shop", "limits", "eve"],
    ["other"],
    ["constructor"],
    ["shop", "toString", "x"],
  ];
  expect(conflictingPath(data, beside)).toBeUndefined();
  expect(conflictingPath({}, beside)).toBeUndefined();
});
