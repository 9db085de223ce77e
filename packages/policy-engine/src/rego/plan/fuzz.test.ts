import { expect, it } from "vitest";
import { fuzzCases, runFuzz } from "../../../testing/fuzz.ts";
import { loaderTarget, planTarget } from "./fuzz.test-kit.ts";

it("a spoilt plan is refused, or runs to a result or a clear error and changes nothing it was given", {
  timeout: 600_000,
}, async () => {
  const { cases, outcomes } = await runFuzz(planTarget, fuzzCases(2_000));
  if (cases < 1_000) return;
  for (const kind of ["refused", "failed", "answered"]) expect(outcomes[kind]).toBeGreaterThan(cases / 500);
});

it("a spoilt plan is loaded or refused with its place", { timeout: 600_000 }, async () => {
  const { cases, outcomes } = await runFuzz(loaderTarget, fuzzCases(20_000));
  if (cases < 1_000) return;
  for (const kind of ["refused", "loaded"]) expect(outcomes[kind]).toBeGreaterThan(cases / 50);
});
