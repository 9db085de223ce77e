import { readUpstreamFixtures } from "@shieldx/policy-engine/testing";
import { waitFor } from "../../e2e/shieldx/wait.ts";
import type { Lanes } from "../lib/load.ts";
import { type Contestant, judges, namespaceOf } from "./contestants.ts";

/** The edition of the standard that the rules in `rules/` are. */
const edition = "v1.37";

/**
 * Sends every fixture of the server's version to each contestant. Resolves with how many Pods were judged and refused;
 * throws naming the first on which any differs from the published expectation, so that nothing unequal is measured.
 */
export async function compareVerdicts(
  lanes: Lanes,
  present: readonly Contestant[],
  /** About so many, of all sorts; all when left out. */
  limit = Number.POSITIVE_INFINITY,
): Promise<{ judged: number; refused: number }> {
  const fixtures = (await readUpstreamFixtures()).filter(
    ({ version, level, expected }) => version === edition && (level === "restricted" || expected === "fail"),
  );
  let judged = 0;
  let refused = 0;
  const stride = Math.max(1, Math.floor(fixtures.length / limit));
  for (const { pod: fixture, file, expected } of fixtures.filter((_, at) => at % stride === 0)) {
    const pod = JSON.stringify({ ...fixture, metadata: { ...fixture.metadata, name: "fixture" } });
    // Some fixtures are no valid Pods for any server.
    if ((await lanes.create(0, namespaceOf("none"), pod)).status !== 201) continue;
    for (const [lane, judge] of present.filter((name) => judges.includes(name)).entries()) {
      await waitFor(
        `${judge}: ${expected} for ${file}`,
        async () => {
          const { status } = await lanes.create(lane, namespaceOf(judge), pod);
          return status === (expected === "pass" ? 201 : 403);
        },
        // Only the first may have to wait, until everybody's rules are in force.
        { timeoutMs: judged === 0 ? 60_000 : 0 },
      );
    }
    judged++;
    if (expected === "fail") refused++;
  }
  return { judged, refused };
}
