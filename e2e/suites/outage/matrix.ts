// One row per outage, one column per failure policy (DESIGN §12.5): what must work works, nobody has to mend anything by
// hand, and what slipped by meanwhile is found and reported.
import { Namespace, Pod, resourceType } from "@shieldx/controller-runtime";
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from "vitest";
import { ShieldPolicy } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";
import {
  applyObject,
  type Column,
  columnPolicy,
  columns,
  type OutageBed,
  podsOf,
  replicaRefusal,
  startOutageBed,
  tooManyReplicas,
} from "./bed.ts";
import { checkMachinery, prepareMachinery } from "./machinery.ts";
import { type Outage, outages } from "./outages.ts";
import { judge } from "./verdict.ts";

const Report = resourceType({
  group: "openreports.io",
  version: "v1alpha1",
  kind: "Report",
  plural: "reports",
  namespaced: true,
});

/** Right answers in a row until enforcement counts as back: with three replicas one right answer says little. */
const steady = 5;
const recoveryMs = 180_000;

interface Row {
  readonly outage: string;
  /** Milliseconds from the end of the outage's cause, by column. */
  readonly backMs: Readonly<Record<Column, number>>;
  /** Until a policy written meanwhile was in force. */
  readonly policyMs: number;
  readonly slipped: number;
  readonly tookMs: number;
}

type Slips = Map<Column | "late", string[]>;

export function describeMatrix(name: string, rows: readonly string[] | undefined): void {
  describe("the outage matrix", () => {
    let bed: OutageBed;
    const table: Row[] = [];
    const chosen = outages.filter((outage) => rows === undefined || rows.includes(outage.name));

    beforeAll(async () => {
      const began = performance.now();
      bed = await startOutageBed(name);
      await bed.kubectl("create", "namespace", "late");
      await bed.kubectl("label", "namespace", "late", "column=late");
      console.log(`cluster and ShieldX are up after ${Math.round(performance.now() - began)} ms`);
    }, 600_000);
    afterAll(async () => {
      console.log(print(table));
      await bed?.stop();
    });

    it.each(chosen.map((outage) => [outage.name, outage] as const))("%s", async (_, outage) => {
      // The next row must not fail for what this one left behind.
      onTestFailed(() => outage.end(bed));
      table.push(await rowOf(bed, outage));
    });
  });
}

async function rowOf(bed: OutageBed, outage: Outage): Promise<Row> {
  const began = performance.now();
  const row = outage.name.replaceAll(/[^a-z]+/gi, "-").toLowerCase();
  const slips: Slips = new Map();
  await prepareMachinery(bed, row);
  await outage.begin(bed);
  if (outage.left !== "no server") await during(bed, outage, row, slips);

  const ended = performance.now();
  const since = (): number => performance.now() - ended;
  const ending = outage.end(bed);
  // Not to fail unhandled while the columns are watched.
  ending.catch(() => undefined);
  const [closed, open] = await Promise.all(columns.map((column) => untilBack(bed, column, since)));
  await ending;
  if (outage.left === "no server") {
    await checkMachinery(bed, row);
    await applyObject(bed, columnPolicy("late", "late"));
  }
  await waitFor(`the policy written while "${outage.name}" in force`, () => isReady(bed, "late"), {
    timeoutMs: recoveryMs,
  });
  const policyMs = since();
  await waitFor(
    "all replicas of everything",
    async () => (await ready(bed, "webhooks")) === 3 && (await ready(bed, "operator")) === 2,
    { timeoutMs: recoveryMs, everyMs: 200 },
  );
  if (outage.left !== "no server") {
    const namespace = `born-${row}`;
    expect(await judge(bed, "closed", "bad", { namespace }), "in a namespace made meanwhile").toEqual({
      kind: "judged",
    });
    await bed.client.delete(Namespace, { name: namespace });
  }
  await everythingFound(bed, slips);
  await cleanUp(bed, slips);
  const slipped = [...slips.values()].flat().length;
  const tookMs = performance.now() - began;
  return { outage: outage.name, backMs: { closed: closed ?? 0, open: open ?? 0 }, policyMs, slipped, tookMs };
}

/** What every column says, and what has to work, while it lasts. */
async function during(bed: OutageBed, outage: Outage, row: string, slips: Slips): Promise<void> {
  const slip = async (where: Column | "late"): Promise<void> => {
    const verdict = await judge(bed, where, "bad", { name: `slipped-${row}` });
    if (verdict.kind === "admitted") slips.set(where, [...(slips.get(where) ?? []), `slipped-${row}`]);
  };
  expect((await judge(bed, "closed", "bad")).kind).not.toBe("admitted");
  if (outage.left === "nothing") {
    expect(await judge(bed, "closed", "good")).toMatchObject({
      kind: "refused",
      message: expect.stringContaining("failed calling webhook"),
    });
  }
  if (outage.left === "webhooks") {
    for (const column of columns) {
      expect(await judge(bed, column, "bad")).toEqual({ kind: "judged" });
      expect(await judge(bed, column, "good")).toEqual({ kind: "admitted" });
    }
  }
  await slip("open");
  if (outage.left === "nothing") expect(slips.get("open")).toHaveLength(1);
  // Rules in native form are the API server's own and hold on.
  expect(await tooManyReplicas(bed.cluster)).toContain(replicaRefusal);
  // Not published while no replica holds it, though it is to fail closed: nobody is locked out, and it is found later.
  await applyObject(bed, columnPolicy("late", "late"));
  await slip("late");
  const born = { name: `born-${row}`, labels: { column: "closed" } };
  await bed.client.create(Namespace, { apiVersion: "v1", kind: "Namespace", metadata: born });
  await checkMachinery(bed, row);
}

/** Milliseconds until the column gives only right answers again. A closed one never lets a bad Pod through meanwhile. */
async function untilBack(bed: OutageBed, column: Column, since: () => number): Promise<number> {
  let right = 0;
  let backMs = 0;
  await waitFor(
    `"${column}" enforced again`,
    async () => {
      const bad = await judge(bed, column, "bad");
      if (column === "closed") expect(bad.kind, "of a bad Pod under Fail").not.toBe("admitted");
      const good = await judge(bed, column, "good");
      const isRight = bad.kind === "judged" && good.kind === "admitted";
      if (isRight && right === 0) backMs = since();
      right = isRight ? right + 1 : 0;
      return right >= steady;
    },
    { timeoutMs: recoveryMs },
  );
  return backMs;
}

interface PolicyStatus {
  readonly metadata: { readonly generation?: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly counts?: { readonly violating: number };
    readonly worstOffenders?: readonly { readonly name: string; readonly namespace?: string }[];
  };
}

async function policyOf({ client }: OutageBed, name: string): Promise<PolicyStatus> {
  return (await client.get(ShieldPolicy, { name })) as unknown as PolicyStatus;
}

async function isReady(bed: OutageBed, name: string): Promise<boolean> {
  const { metadata, status } = await policyOf(bed, name);
  if (status?.observedGeneration !== metadata.generation) return false;
  return status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") ?? false;
}

async function ready(bed: OutageBed, component: "operator" | "webhooks"): Promise<number> {
  const isPodReady = ({ status }: Pod) =>
    (status as { conditions?: { type: string; status: string }[] } | undefined)?.conditions?.some(
      ({ type, status: is }) => type === "Ready" && is === "True",
    );
  return (await podsOf(bed, component)).filter(isPodReady).length;
}

/** Counts, worst offenders and Reports name exactly what slipped by. */
async function everythingFound(bed: OutageBed, slips: Slips): Promise<void> {
  for (const where of [...columns, "late"] as const) {
    const names = (slips.get(where) ?? []).sort();
    await waitFor(
      `what slipped by in "${where}", among the offenders`,
      async () => {
        const { status } = await policyOf(bed, where);
        const worst = (status?.worstOffenders ?? []).map(({ name }) => name).sort();
        return status?.counts?.violating === names.length && JSON.stringify(worst) === JSON.stringify(names);
      },
      { timeoutMs: 60_000 },
    );
    await waitFor(
      `Reports of what slipped by in "${where}"`,
      async () => {
        const { items } = await bed.client.list(Report, { namespace: where });
        const about = items.map((item) => (item as unknown as { scope: { name: string } }).scope.name).sort();
        return JSON.stringify(about) === JSON.stringify(names);
      },
      { timeoutMs: 60_000 },
    );
  }
}

async function cleanUp(bed: OutageBed, slips: Slips): Promise<void> {
  for (const [namespace, names] of slips) {
    for (const name of names) await bed.client.delete(Pod, { name, namespace }, { gracePeriodSeconds: 0 });
  }
  await bed.client.delete(ShieldPolicy, { name: "late" });
  await waitFor(
    "the end of the policy written meanwhile",
    async () => (await bed.client.find(ShieldPolicy, { name: "late" })) === undefined,
  );
  await everythingFoundIn(bed, ["open"]);
}

/** No offender is left once what slipped by is gone. */
async function everythingFoundIn(bed: OutageBed, policies: readonly string[]): Promise<void> {
  for (const name of policies) {
    await waitFor(
      `no offender of "${name}"`,
      async () => (await policyOf(bed, name)).status?.counts?.violating === 0,
    );
  }
}

function print(table: readonly Row[]): string {
  const seconds = (ms: number) => (ms / 1000).toFixed(2).padStart(8);
  const width = Math.max(...table.map(({ outage }) => outage.length), 10);
  const lines = table.map(({ outage, backMs, policyMs, slipped, tookMs }) =>
    [
      outage.padEnd(width),
      seconds(backMs.closed),
      seconds(backMs.open),
      seconds(policyMs),
      String(slipped).padStart(7),
      seconds(tookMs),
    ].join("  "),
  );
  const head = `${"outage".padEnd(width)}  Fail, s   Ignore, s  new, s    slipped  row, s`;
  return [
    "seconds from the end of its cause until enforced again; slipped by, all of them found and reported",
    head,
    ...lines,
  ].join("\n");
}
