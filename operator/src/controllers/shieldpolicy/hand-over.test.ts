import { expect, it } from "vitest";
import { HandOvers, TAKEN_IN_MS } from "./hand-over.ts";

it("lets the former enforcer go only when its successor has been in place for long enough", () => {
  const handOvers = new HandOvers();
  expect(handOvers.remainingMs("p", "1", false, 0)).toBeUndefined();
  expect(handOvers.remainingMs("p", "1", true, 100)).toBe(TAKEN_IN_MS);
  expect(handOvers.remainingMs("p", "1", true, 1_100)).toBe(TAKEN_IN_MS - 1_000);
  expect(handOvers.remainingMs("p", "1", true, 100 + TAKEN_IN_MS)).toBe(0);
});

it("begins anew with another version, or when the successor was gone in between", () => {
  const handOvers = new HandOvers();
  handOvers.remainingMs("p", "1", true, 0);
  expect(handOvers.remainingMs("p", "2", true, 2_000)).toBe(TAKEN_IN_MS);
  expect(handOvers.remainingMs("p", "2", false, 3_000)).toBeUndefined();
  expect(handOvers.remainingMs("p", "2", true, 4_000)).toBe(TAKEN_IN_MS);
  handOvers.forget("p");
  expect(handOvers.remainingMs("p", "2", true, 9_000)).toBe(TAKEN_IN_MS);
});
