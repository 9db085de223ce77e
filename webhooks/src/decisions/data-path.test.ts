import { expect, it } from "vitest";
import { canonicalPath, dataPath, referenceText } from "./data-path.ts";

it.each([
  ["", []],
  ["/app/authz/allow", ["app", "authz", "allow"]],
  ["//app///authz/", ["app", "authz"]],
  ["/list/0/-1/1.5/007", ["list", 0, -1, "1.5", 7]],
  ["/a%2Fb/%D0%BA/%zz/__proto__", ["a/b", "к", "%zz", "__proto__"]],
])("%j names %j", (escaped, path) => {
  expect(dataPath(escaped)).toEqual(path);
});

it("refuses quotes and endless paths", () => {
  expect(() => dataPath("/a%22b")).toThrow(/invalid ref term 'a"b'/);
  expect(() => dataPath("/a".repeat(129))).toThrow(/more than 128 parts/);
});

it("writes references as OPA does", () => {
  expect(referenceText(["nope", "a-b", 1, "c"])).toBe('data.nope["a-b"][1].c');
});

it("has one spelling for a document, whichever way it was written", () => {
  const spellings = ["/app/authz", "//app/authz/", "/a%70p/authz"];
  expect(new Set(spellings.map((text) => canonicalPath("/v1/data", dataPath(text))))).toEqual(
    new Set(["/v1/data/app/authz"]),
  );
  // A slash within a part must not look like two parts, or a right to one document would be a right to another.
  expect(canonicalPath("/v1/data", dataPath("/public/..%2Fsecret"))).toBe("/v1/data/public/..%2Fsecret");
});
