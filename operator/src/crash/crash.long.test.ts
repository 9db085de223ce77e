import { afterAll, beforeAll, expect, it } from "vitest";
import { asProcess, enumerate, inProcess, type Stage, type Start } from "./enumerate.test-kit.ts";
import { MOMENTS } from "./kill-switch.test-kit.ts";
import {
  auditScenario,
  celScenario,
  exceptionScenario,
  mergedScenario,
  podSecurityScenario,
  rotationScenario,
  type Scenario,
} from "./scenarios.test-kit.ts";
import { openStage } from "./stage.test-kit.ts";
import { cleanupScenario, generatorScenario } from "./standing-scenarios.test-kit.ts";

let opened: { stage: Stage; close(): Promise<void> };
beforeAll(async () => {
  opened = await openStage();
});
afterAll(async () => {
  await opened?.close();
});

const cases: readonly (readonly [Scenario, string, Start])[] = [
  [celScenario, "in this process", inProcess],
  [podSecurityScenario, "in this process", inProcess],
  [rotationScenario, "in this process", inProcess],
  [exceptionScenario, "in this process", inProcess],
  [mergedScenario, "in this process", inProcess],
  [auditScenario, "in this process", inProcess],
  [generatorScenario, "in this process", inProcess],
  [cleanupScenario, "in this process", inProcess],
  [celScenario, "by SIGKILL", asProcess],
];
const named = cases.map(([scenario, how, start]) => [scenario.name, how, scenario, start] as const);
it.each(named)("%s, killed at each point %s: the same end", async (_name, how, scenario, start) => {
  const startedAt = performance.now();
  const told = (line: string) => console.log(`${scenario.name}, ${how}: ${line}`);
  const { points, kills, deaths, wrong } = await enumerate(opened.stage, scenario, start, MOMENTS, told);
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  console.log(
    `${scenario.name}, ${how}: ${points} points, ${kills} to die at, ${deaths} deaths, ${wrong.length} other ends, ${seconds} s`,
  );
  expect(wrong).toEqual([]);
  expect(deaths).toBeGreaterThan(kills * 0.7);
});
