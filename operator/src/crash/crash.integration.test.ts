import { afterAll, beforeAll, expect, it } from "vitest";
import { enumerate, inProcess, type Stage } from "./enumerate.test-kit.ts";
import { celScenario, type Scenario } from "./scenarios.test-kit.ts";
import { openStage } from "./stage.test-kit.ts";
import { cleanupScenario, generatorScenario } from "./standing-scenarios.test-kit.ts";

let opened: { stage: Stage; close(): Promise<void> };
beforeAll(async () => {
  opened = await openStage();
});
afterAll(async () => {
  await opened?.close();
});

const cases: readonly { readonly scenario: Scenario; readonly about: RegExp }[] = [
  { scenario: celScenario, about: /./ },
  // One object of each way to be written; all others, and the statuses: crash.long.test.ts.
  { scenario: generatorScenario, about: /networkpolicies crash-a\/.* #1 |^delete .* #1 / },
  { scenario: cleanupScenario, about: /^(delete|apply).* (configmaps|shieldcleanups) / },
];
it.each(cases)(
  "killed at each point of $scenario.name, a fresh operator comes to the same end",
  async ({ scenario, about }) => {
    const startedAt = performance.now();
    // Each write, done by the server and not yet known to the operator; every other moment: crash.long.test.ts.
    const { points, kills, deaths, wrong } = await enumerate(
      opened.stage,
      scenario,
      inProcess,
      ["processed"],
      undefined,
      about,
    );
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    console.log(
      `${scenario.name}: ${points} points, ${kills} to die at, ${deaths} deaths, ${wrong.length} other ends, ${seconds} s`,
    );
    expect(wrong).toEqual([]);
    expect(kills).toBeGreaterThan(0);
    expect(deaths).toBeGreaterThan(kills * 0.7);
  },
  600_000,
);
