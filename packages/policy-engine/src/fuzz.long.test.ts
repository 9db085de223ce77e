/** What takes text of strangers, ten million cases each. The first 20,000 of each are part of the unit tests. */
import { describe, expect, it } from "vitest";
import { fuzzCases, runFuzz } from "../testing/fuzz.ts";
import { checkerTarget, lexerTarget, parserTarget } from "./cel/fuzz.test-kit.ts";
import { bundleTarget } from "./rego/bundle/fuzz.test-kit.ts";
import { loaderTarget } from "./rego/plan/fuzz.test-kit.ts";

const hour = 3_600_000;

describe("ten million cases", () => {
  it.each([lexerTarget, parserTarget, checkerTarget, loaderTarget, bundleTarget])(
    "$name",
    {
      timeout: 6 * hour,
    },
    async (target) => {
      const { cases, outcomes } = await runFuzz(target, fuzzCases(10_000_000));
      expect(Object.keys(outcomes).length, JSON.stringify(outcomes)).toBeGreaterThan(cases < 1_000 ? 0 : 1);
    },
  );
});
