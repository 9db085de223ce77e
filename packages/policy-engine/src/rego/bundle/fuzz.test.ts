import { expect, it } from "vitest";
import { fuzzCases, runFuzz } from "../../../testing/fuzz.ts";
import { bundleTarget } from "./fuzz.test-kit.ts";

it("a spoilt bundle is refused with a BundleError, or read within its roots and signature", {
  timeout: 600_000,
}, async () => {
  const { cases, outcomes } = await runFuzz(bundleTarget, fuzzCases(20_000));
  expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
  if (cases < 10_000) return;
  const wanted = [
    "read",
    "delta",
    "INVALID_ARCHIVE",
    "INVALID_FILE",
    "INVALID_MANIFEST",
    "OUTSIDE_ROOTS",
    "INVALID_PATCH",
  ];
  for (const outcome of [...wanted, "INVALID_SIGNATURE", "UNSIGNED", "UNSUPPORTED", "LIMIT_EXCEEDED"])
    expect(outcomes[outcome] ?? 0, outcome).toBeGreaterThan(0);
});
