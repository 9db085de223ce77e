import { expect, it } from "vitest";
import { runElection } from "./election-simulation.test-kit.ts";

it("never lets two candidates begin a write at once in 1,000 seeded runs of half an hour", () => {
  let takeovers = 0;
  for (let seed = 0; seed < 1_000; seed++) {
    const result = runElection({ seed, candidates: 2 + (seed % 4), durationMs: 1_800_000 });
    expect(result.overlaps, `seed ${seed}`).toEqual([]);
    takeovers += result.takeovers;
  }
  console.log(`takeovers in 1,000 runs: ${takeovers}`);
  expect(takeovers).toBeGreaterThan(5_000);
});
