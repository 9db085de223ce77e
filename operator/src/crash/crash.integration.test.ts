import { afterAll, beforeAll, expect, it } from "vitest";
import { enumerate, type Stage } from "./enumerate.test-kit.ts";
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
  const { points, deaths, wrong } = await enumerate(opened.stage, celScenario);
  console.log(`${celScenario.name}: ${points} points, ${deaths} deaths, ${wrong.length} other ends`);
  expect(wrong).toEqual([]);
  expect(deaths).toBeGreaterThan(points * 0.8);
}, 600_000);
