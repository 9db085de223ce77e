import { afterAll, beforeAll, expect, it } from "vitest";
import { enumerate, inProcess, type Stage } from "./enumerate.test-kit.ts";
import { celScenario } from "./scenarios.test-kit.ts";
import { openStage } from "./stage.test-kit.ts";

let opened: { stage: Stage; close(): Promise<void> };
beforeAll(async () => {
  opened = await openStage();
});
afterAll(async () => {
  await opened?.close();
});

it(`killed at each point of "${celScenario.name}", a fresh operator comes to the same end`, async () => {
  // Each write, done by the server and not yet known to the operator; every other moment: crash.long.test.ts.
  const { points, kills, deaths, wrong } = await enumerate(opened.stage, celScenario, inProcess, [
    "processed",
  ]);
  console.log(
    `${celScenario.name}: ${points} points, ${kills} to die at, ${deaths} deaths, ${wrong.length} other ends`,
  );
  expect(wrong).toEqual([]);
  expect(deaths).toBeGreaterThan(kills * 0.7);
}, 600_000);
