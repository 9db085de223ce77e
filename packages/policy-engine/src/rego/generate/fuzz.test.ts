import { expect, it } from "vitest";
import { fuzzCases, runFuzz } from "../../../testing/fuzz.ts";
import { generatedPlanTarget } from "./plans.test-kit.ts";

it("whatever a plan does, code comes to what the closures come to, by the same work", {
  timeout: 600_000,
}, async () => {
  const { cases, outcomes } = await runFuzz(generatedPlanTarget, fuzzCases(400));
  if (cases < 400) return;
  for (const kind of ["answered", "eval_conflict_error", "eval_cancel_error"])
    expect(outcomes[kind]).toBeGreaterThan(0);
});
