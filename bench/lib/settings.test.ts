import { expect, it } from "vitest";
import { settingsFrom } from "./settings.ts";

it("takes five runs, one when quick, and only parts there are", () => {
  expect(settingsFrom({}, ["a"])).toEqual({ isQuick: false, runs: 5, parts: undefined });
  expect(settingsFrom({ QUICK: "1" }, ["a"]).runs).toBe(1);
  expect(settingsFrom({ RUNS: "7", PARTS: "a" }, ["a", "b"])).toMatchObject({ runs: 7, parts: ["a"] });
  expect(() => settingsFrom({ PARTS: "c" }, ["a", "b"])).toThrow('there is no part "c"; there are a, b');
  expect(() => settingsFrom({ RUNS: "many" }, ["a"])).toThrow("RUNS=many");
});
