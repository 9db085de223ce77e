import { expect, it } from "vitest";
import { packagePath } from "./package-path.ts";

it.each([
  ["package app.authz\n\nallow := true", ["app", "authz"]],
  ["# package wrong\n\n\t package  app # here", ["app"]],
  ['package a["b-c"].d', ["a", "b-c", "d"]],
  ["package a.b", ["a", "b"]],
  ["package\n  later", ["later"]],
  ["", undefined],
  ["#", undefined],
  ["package", undefined],
  ["packages a", undefined],
  ["import rego.v1\npackage a", undefined],
  [`package a${".b".repeat(100)}`, undefined],
])("%j declares %j", (source, path) => {
  expect(packagePath(source)).toEqual(path);
});

it("takes no longer for what only looks like one", () => {
  expect(packagePath(`package a["${"x".repeat(1_000_000)}`)).toEqual(["a"]);
  expect(packagePath("#\n".repeat(500_000))).toBeUndefined();
});
