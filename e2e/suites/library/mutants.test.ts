import { mutationScore } from "@shieldx/policy-engine";
import { expect, it } from "vitest";
import { readLibrary } from "./library.ts";

/** The tests of the library notice mistakes in it: each rule and condition that is gone or turned round, and nine in ten of the rest. */
const scores = readLibrary().map(({ name, policy }) => ({
  name,
  ...mutationScore(policy, policy.spec.tests ?? [], { serverMinor: 37 }),
}));

it("notices every rule and condition that is left out or says the contrary", () => {
  const whole: readonly string[] = ["drop-rule", "drop-condition", "negate"];
  const survivors = scores.flatMap(({ name, outcomes }) =>
    outcomes
      .filter(({ mutant, killedBy }) => killedBy === undefined && whole.includes(mutant.operator))
      .map(({ mutant: { operator, path } }) => `${name}: ${operator} ${path}`),
  );
  expect(survivors).toEqual([]);
});

it("notices nine mistakes in ten", () => {
  expect(scores.filter(({ failing }) => failing.length > 0).map(({ name }) => name)).toEqual([]);
  const mutants = scores.reduce((sum, { outcomes }) => sum + outcomes.length, 0);
  const killed = scores.reduce((sum, each) => sum + each.killed, 0);
  expect(mutants).toBeGreaterThan(2_000);
  expect(Math.floor((killed / mutants) * 100)).toBeGreaterThanOrEqual(90);
});
