import { type Client, type KubeObject, Namespace } from "@shieldx/controller-runtime";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { type LoadReport, startAdmissionLoad } from "../../shieldx/admission-load.ts";
import { clientsOf } from "../../shieldx/clients.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { enforce, read, restrictedPod, tryCreate, untilCondition } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";
import { Churn, type ChurnCounts } from "./churn.ts";
import { repeating } from "./repeating.ts";
import { type MemoryGrowth, ResidentMemory } from "./resident-memory.ts";
import { audited, churned, steady, toggled } from "./soak-policies.ts";

const perSecond = 20;
/** Generous: it is to find what grows without end, not what a garbage collector leaves for later. */
const mostGrowth = 1.5;
/** Kinds of which nothing is left once every policy is gone. */
const ours = [
  "shieldpolicies",
  "shieldexceptions",
  "validatingadmissionpolicies",
  "validatingadmissionpolicybindings",
  "reports.openreports.io",
];

/** ShieldX under everything at once for a while: it answers rightly, keeps its memory, converges and cleans up. */
export function soakSuite(seconds: number): void {
  describe(`${seconds} s of churn`, () => {
    let cluster: Cluster;
    let shieldx: ShieldxOnHost;
    let clients: readonly [Client, ...Client[]];

    beforeAll(async () => {
      cluster = await startCluster();
      shieldx = await startShieldxOnHost(cluster, { tokenSeconds: 12 * 3600 });
      clients = await clientsOf(cluster);
      const namespace: KubeObject = { apiVersion: "v1", kind: "Namespace", metadata: { name: churned } };
      await clients[0].create(Namespace, namespace);
      for (const policy of [steady, audited, ...toggled.map(({ policy }) => policy("warn"))]) {
        await enforce(cluster, policy);
      }
      const bad = restrictedPod("bad", { hostNetwork: true });
      await waitFor("bad Pods refused", async () => !(await tryCreate(cluster, bad)).allowed);
      const account = ["serviceaccount", "default", "-n", churned];
      await waitFor("Pods possible", async () => (await read(cluster, ...account)) !== undefined);
    });
    afterAll(async () => {
      await Promise.all((clients ?? []).map((client) => client.close()));
      await shieldx?.stop();
      await cluster?.stop();
    });

    async function reportedPods(): Promise<string[]> {
      const reports = await read<{ items: { metadata: { ownerReferences?: { name: string }[] } }[] }>(
        cluster,
        "reports.openreports.io",
        "-n",
        churned,
      );
      return (reports?.items ?? []).flatMap(({ metadata }) =>
        (metadata.ownerReferences ?? []).map(({ name }) => name),
      );
    }

    async function left(): Promise<string[]> {
      const found = await cluster.kubectl(["get", ours.join(), "-A", "-o", "name"]);
      const configurations = await cluster.kubectl(["get", "validatingwebhookconfigurations", "-o", "name"]);
      if (found.code !== 0 || configurations.code !== 0)
        throw new Error(found.stderr + configurations.stderr);
      return `${found.stdout}${configurations.stdout}`
        .split("\n")
        .filter((name) => name !== "" && !name.endsWith("/shieldx-kinds"));
    }

    it(
      "answers every request rightly, keeps its memory, converges, and leaves nothing",
      async () => {
        const churn = new Churn(cluster, clients[0]);
        const memory = new ResidentMemory([...shieldx.operators, ...shieldx.webhooks]);
        const load = startAdmissionLoad({
          clients,
          perSecond,
          good: restrictedPod("good"),
          bad: restrictedPod("bad", { hostNetwork: true }),
          refusal: 'ShieldPolicy "soak-steady"',
        });
        onTestFinished(async () => void (await load.stop()));
        const sampling = { everyMs: 1_000, work: () => memory.sample() };
        await repeating([...churn.steps, sampling], seconds * 1000);
        const report = await load.stop();
        const growth = memory.growth();
        console.log(told(seconds, report, churn.counts, growth));

        expect(report.unexpected).toEqual([]);
        expect(report.failures).toBe(0);
        expect(report.admitted + report.refused).toBe(report.requests);
        expect(Math.min(...Object.values(churn.counts))).toBeGreaterThan(0);
        for (const { name, firstHalfMiB, secondHalfMiB } of growth) {
          expect(secondHalfMiB / firstHalfMiB, name).toBeLessThanOrEqual(mostGrowth);
        }
        for (const name of ["soak-steady", "soak-audited", ...toggled.map((each) => each.name)]) {
          await untilCondition(cluster, ["shieldpolicy", name], "Ready", "True");
        }
        const offenders = churn.offenders.sort().join();
        await waitFor("reports of those Pods that are left", async () => {
          return (await reportedPods()).sort().join() === offenders;
        });

        // What is looked for afterwards is there now.
        const before = (await left()).join(" ");
        for (const kind of ["shieldpolicy", "admissionpolicybinding", "report", "webhookconfiguration"]) {
          expect(before).toContain(kind);
        }
        await cluster.kubectl(["delete", "shieldpolicies", "--all"]);
        await waitFor("none of our objects left", async () => (await left()).length === 0).catch(
          async (cause) => {
            throw new Error(`left behind: ${(await left()).join(" ")}`, { cause });
          },
        );
      },
      (seconds + 300) * 1000,
    );
  });
}

function told(
  seconds: number,
  load: LoadReport,
  churn: ChurnCounts,
  growth: readonly MemoryGrowth[],
): string {
  return [
    `${seconds} s: ${load.requests} dry-run creates at ${load.perSecond.toFixed(1)}/s (admitted ${load.admitted}, ` +
      `refused ${load.refused}), failures ${load.failures}, ms p50 ${load.p50Ms.toFixed(1)} p99 ${load.p99Ms.toFixed(1)} ` +
      `max ${load.slowestMs.toFixed(0)}`,
    `Pods created ${churn.created} deleted ${churn.deleted}; toggles in force ${churn.toggles}; rotations ${churn.rotations}; ` +
      `exceptions come and gone ${churn.exceptions}`,
    ...growth.map(
      ({ name, samples, firstHalfMiB, secondHalfMiB, highestMiB }) =>
        `${name}: RSS median ${firstHalfMiB.toFixed(0)} MiB in the first half, ${secondHalfMiB.toFixed(0)} MiB in the second ` +
        `(x ${(secondHalfMiB / firstHalfMiB).toFixed(2)}), highest ${highestMiB.toFixed(0)} MiB, ${samples} samples`,
    ),
  ].join("\n");
}
