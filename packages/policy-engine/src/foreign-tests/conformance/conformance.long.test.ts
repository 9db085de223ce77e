/**
 * Suites that are in no Go module: from checkouts that `GATEKEEPER_LIBRARY` and `KYVERNO_POLICIES` name, of
 * open-policy-agent/gatekeeper-library and kyverno/policies.
 */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { builtCompiler } from "../../rego/compiler.test-kit.ts";
import { suiteCases } from "./gatekeeper.test-kit.ts";
import { kyvernoCases } from "./kyverno.test-kit.ts";
import { count, recorded } from "./results.test-kit.ts";

const { GATEKEEPER_LIBRARY, KYVERNO_POLICIES } = process.env;
const binary = await builtCompiler();

function isGiven(name: string, checkout: string | undefined): checkout is string {
  if (checkout !== undefined) return true;
  console.warn(
    `SKIPPED: no checkout of ${name}: name one with ${name.includes("gate") ? "GATEKEEPER_LIBRARY" : "KYVERNO_POLICIES"}=`,
  );
  return false;
}

const topFolder = (name: string): string => name.slice(0, name.indexOf("/"));

const emptyDir =
  "other-vpol/require-emptydir-requests-limits/.kyverno-test/kyverno-test.yaml: require-emptydir-requests-and-limits: require-emptydir-requests-and-limits/Pod/default";
const noOptional = "orValue of what is no optional";
/** Of a variable, whose text no message holds. */
const differences = new Map([
  [`${emptyDir}/fail-pod: fail`, noOptional],
  [`${emptyDir}/pass-pod-02: pass`, noOptional],
]);

describe("libraries of others, unmodified", () => {
  const library = isGiven("open-policy-agent/gatekeeper-library", GATEKEEPER_LIBRARY) && binary !== undefined;
  it.skipIf(!library)("gatekeeper-library", async () => {
    const cases = await suiteCases(join(GATEKEEPER_LIBRARY ?? "", "library"), topFolder);
    const { results, unexplained } = count(cases);
    expect(unexplained).toEqual([]);
    expect(results).toEqual(recorded("gatekeeper-library", results));
  });

  const policies = isGiven("kyverno/policies", KYVERNO_POLICIES);
  it.skipIf(!policies)("kyverno/policies", () => {
    const { results, unexplained, stale } = count(
      kyvernoCases(KYVERNO_POLICIES ?? "", topFolder),
      differences,
    );
    expect({ unexplained, stale }).toEqual({ unexplained: [], stale: [] });
    expect(results).toEqual(recorded("kyverno-policies", results));
  });
});
