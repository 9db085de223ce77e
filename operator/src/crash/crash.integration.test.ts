import { createClient, loadCredentials } from "@shieldx/controller-runtime";
import { afterAll, beforeAll, expect, it } from "vitest";
import { waitFor } from "../cluster.test-kit.ts";
import { type ShieldCleanupObject, ShieldCleanupType } from "../kinds.ts";
import { beforeDeletion } from "./changed-meanwhile.test-kit.ts";
import { enumerate, inProcess, runOperator, type Stage } from "./enumerate.test-kit.ts";
import { KillSwitch } from "./kill-switch.test-kit.ts";
import { celScenario, readState, reset, type Scenario } from "./scenarios.test-kit.ts";
import { openStage } from "./stage.test-kit.ts";
import {
  cleanup,
  cleanupIs,
  cleanupScenario,
  dueConfigMaps,
  generatorScenario,
  requestRun,
} from "./standing-scenarios.test-kit.ts";

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
  { scenario: generatorScenario, about: /networkpolicies crash-a\/.* #1 |^delete networkpolicies .* #1 / },
  {
    scenario: cleanupScenario,
    about: /^delete configmaps crash-a\/one |^apply status shieldcleanups due #2 /,
  },
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

it("does not delete what is changed, or made anew, between the look at it and its deletion", async () => {
  const { bed, address, kubeconfig } = opened.stage;
  const { admin } = bed;
  await reset(admin);
  await bed.apply(...dueConfigMaps());
  const client = createClient({ credentials: await loadCredentials({ kubeconfig }) });
  const stop = new AbortController();
  const faster = beforeDeletion(
    new KillSwitch(undefined, () => {}).wrap(client),
    "configmaps",
    async (type, key) => {
      if (key.name === "one") return admin.patch(type, key, { data: { needed: "yes" } }, { type: "merge" });
      await admin.delete(type, key);
      return bed.apply(...dueConfigMaps().filter(({ metadata }) => metadata.name === key.name));
    },
  );
  const ran = runOperator(faster, address, stop.signal, 1_000);
  try {
    await bed.apply(cleanup);
    const untilIs = (wanted: { reason: string; request?: string }) =>
      waitFor(`a clean-up that is ${JSON.stringify(wanted)}`, async () =>
        cleanupIs(await readState(admin), wanted),
      );
    await untilIs({ reason: "FirstRunReports" });
    await requestRun(bed, "1");
    await untilIs({ reason: "CleaningUp", request: "1" });
    const { status } = (await admin.get(ShieldCleanupType, { name: "due" })) as ShieldCleanupObject;
    expect(status).toMatchObject({ deletedTotal: 0, lastRun: { due: 2, deleted: 0 } });
    const told = status?.lastRun?.examples?.map(({ object, outcome, message }) => [object, outcome, message]);
    const changed = "it was changed in the meantime: looked at again in the next run";
    expect(told?.sort()).toEqual([
      ["ConfigMap crash-a/one", "Kept", changed],
      ["ConfigMap crash-b/two", "Kept", changed],
    ]);
    expect((await readState(admin)).standing?.map(({ name }) => name).sort()).toEqual([
      "crash-a/kept",
      "crash-a/one",
      "crash-b/two",
    ]);
    await requestRun(bed, "2");
    await untilIs({ reason: "CleaningUp", request: "2" });
    expect((await readState(admin)).standing?.map(({ name }) => name)).toEqual(["crash-a/kept"]);
  } finally {
    stop.abort(new Error("the run is over"));
    await ran;
    await client.close();
  }
});
