import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, openEtcd, startCluster } from "../../cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import { read } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";
import { ResidentMemory } from "../soak/resident-memory.ts";
import {
  type AuditedStatus,
  chartValues,
  createAll,
  createNamespace,
  labelPolicy,
  reportsIn,
  seedRoles,
  writesOf,
} from "./audited-roles.ts";

export interface Violations {
  readonly objects: number;
  readonly policies: number;
  readonly timeoutMs: number;
  /** What the chart lets an operator have is 768 MiB. */
  readonly mostRssMiB: number;
}

/** Every object of one namespace breaks every policy: all of it is counted, little of it is written. */
export function violationsSuite({ objects, policies, timeoutMs, mostRssMiB }: Violations): void {
  describe(`${objects * policies} violations of ${policies} policies`, () => {
    const limits = { reports: 50, perNamespace: 20 };
    const names = Array.from({ length: policies }, (_, at) => `demand-${at}`);
    let cluster: Cluster;
    let shieldx: ShieldxOnHost;

    beforeAll(async () => {
      cluster = await startCluster({ name: "violations", audit: true });
      shieldx = await startShieldxOnHost(cluster, {
        webhooks: 0,
        chartValues,
        tokenSeconds: 7_200,
        operatorArgs: [
          `--audit-reports=${limits.reports}`,
          `--audit-reports-per-namespace=${limits.perNamespace}`,
        ],
      });
      await createNamespace(cluster, "loud");
      await seedRoles(cluster, "loud", objects);
    }, timeoutMs);
    afterAll(async () => {
      await shieldx?.stop();
      await cluster?.stop();
    });

    it(
      "are counted to the last one, by few writes, few bytes and bounded memory",
      async () => {
        const memory = new ResidentMemory(shieldx.operators);
        const before = (await writesOf(cluster)).length;
        await createAll(
          cluster,
          names.map((name) => labelPolicy(name, `${name}/label`)),
        );
        const within = { timeoutMs, everyMs: 250 };
        const counts = await waitFor(
          "every policy counted",
          async () => {
            const all = (await countsOf(cluster)).filter(
              (each) => each?.withoutReport === objects - limits.perNamespace,
            );
            return all.length === policies ? all : undefined;
          },
          within,
        );
        for (const each of counts)
          expect(each).toMatchObject({ checked: objects, violating: objects, violations: objects });
        const summed = await waitFor(
          "the sum",
          async () => {
            const reports = await reportsIn(cluster, "loud");
            const sum = reports.find(({ metadata }) => metadata.name === "shieldx-summary");
            return reports.length === limits.perNamespace + 1 && sum?.summary.fail === objects * policies
              ? sum
              : undefined;
          },
          within,
        );
        expect(summed.results[0]?.properties).toEqual({
          objects: String(objects),
          withoutReport: String(objects - limits.perNamespace),
        });
        using etcd = await openEtcd(cluster);
        const reports = await etcd.held("/registry/openreports.io/reports/");
        const writes = (await writesOf(cluster)).length - before;
        const peakRssMiB = await memory.peakMiB();
        console.log(JSON.stringify({ ...reports, writes, peakRssMiB }));
        expect(reports.objects).toBe(limits.perNamespace + 1);
        expect(reports.bytes).toBeLessThan((limits.perNamespace + 1) * 36_000);
        // Each policy and each Report once, and some again where policies came one by one.
        expect(writes).toBeLessThan(3 * (policies + limits.perNamespace + 1));
        expect(peakRssMiB).toBeLessThan(mostRssMiB);
        await mustKubectl(cluster, ["delete", "shieldpolicies", "--all"]);
        await waitFor("no reports", async () => (await reportsIn(cluster, "loud")).length === 0, within);
      },
      timeoutMs,
    );
  });
}

async function countsOf(cluster: Cluster): Promise<AuditedStatus["counts"][]> {
  const found = await read<{ items: { status?: AuditedStatus }[] }>(cluster, "shieldpolicies");
  return (found?.items ?? []).map(({ status }) => status?.counts);
}
