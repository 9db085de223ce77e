import { join } from "node:path";
import { publishedFile } from "@shieldx/e2e/cluster/build";
import { describe, expect, it } from "vitest";
import { builtCompiler, nativeCompiler } from "../../rego/compiler.test-kit.ts";
import { expandCases, gatekeeperModule, runScripted, suiteCases } from "./gatekeeper.test-kit.ts";
import { kyvernoCases, kyvernoModule } from "./kyverno.test-kit.ts";
import { count, recorded } from "./results.test-kit.ts";
import { runTrivy, trivyModule } from "./trivy.test-kit.ts";

const binary = await builtCompiler(nativeCompiler);
const topFolder = (name: string): string => name.slice(0, name.indexOf("/"));

/** What comes out differently, though it could be told. */
const differences = {
  kyverno: new Map([
    [
      "test-mutating-admission-policy/with-two-params/kyverno-test.yaml: change-deployment-replicas-labels: test/Deployment/default/test-deployment: pass",
      "parameters as a list",
    ],
  ]),
  gatekeeper: new Map([["observe open api v3 defaults being applied", "details of violations"]]),
};

/** A case counts for something only where others of its folder could fail: none of these runs may be empty. */
describe.skipIf(binary === undefined)("tests of others, unmodified", () => {
  it("Kyverno's CLI, of policies in CEL", async () => {
    const root = await publishedFile(kyvernoModule, join("test", "cli"));
    const { results, unexplained, stale } = count(kyvernoCases(root, topFolder), differences.kyverno);
    expect({ unexplained, stale }).toEqual({ unexplained: [], stale: [] });
    expect(results).toEqual(recorded("kyverno", results));
  });

  it("Gatekeeper's gator", async () => {
    const root = await publishedFile(gatekeeperModule, join("test", "gator"));
    const cases = [
      ...(await suiteCases(root, topFolder)),
      ...(await runScripted(join(root, "test", "test.bats"))),
      ...expandCases(join(root, "expand", "fixtures")),
    ];
    const { results, unexplained, stale } = count(cases, differences.gatekeeper);
    expect({ unexplained, stale }).toEqual({ unexplained: [], stale: [] });
    expect(results).toEqual(recorded("gatekeeper", results));
  });

  it("Trivy's checks of Kubernetes", async () => {
    const { cases, coverage } = await runTrivy(await publishedFile(trivyModule, "."), binary ?? "");
    const { results, unexplained } = count(cases);
    expect(unexplained).toEqual([]);
    expect(results).toEqual(recorded("trivy-checks", results));
    // Checks that nothing of was evaluated would hold, too.
    expect(coverage.covered / coverage.all).toBeGreaterThan(0.8);
  });
});
