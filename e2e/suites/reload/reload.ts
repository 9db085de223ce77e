import { setTimeout as delay } from "node:timers/promises";
import { ApiError, type Client, type KubeObject, Pod } from "@shieldx/controller-runtime";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type Etcd, openEtcd } from "../../cluster/etcd.ts";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { percentiles, startAdmissionLoad } from "../../shieldx/admission-load.ts";
import { clientsOf } from "../../shieldx/clients.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { apply, enforce, type Manifest, restrictedPod, ShieldPolicy } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";
import { readTrust, requestRotation } from "../certificates/webhook-trust.ts";
import { otherPolicies, rules, versioned, versionedPolicy, versionIn } from "./versions.ts";

export interface ReloadSuiteOptions {
  readonly reloads: number;
  readonly rotations: number;
  readonly perSecond?: number;
}

const key = Buffer.from(`/registry/shieldx.io/shieldpolicies/${versioned}`).toString("base64");
const pod = (verdict: string): Manifest => ({
  ...restrictedPod(verdict),
  metadata: { name: verdict, namespace: "default", labels: { verdict } },
});

/** One policy of 21 changes again and again, a tenth of the time into one that does not compile, while requests come. */
export function reloadSuite({ reloads, rotations, perSecond = 30 }: ReloadSuiteOptions): void {
  describe(`${reloads} reloads and ${rotations} rotations of the CA under ${perSecond} requests/s`, () => {
    let cluster: Cluster;
    let shieldx: ShieldxOnHost;
    let client: Client;
    let etcd: Etcd;

    beforeAll(async () => {
      cluster = await startCluster();
      shieldx = await startShieldxOnHost(cluster, { tokenSeconds: 6 * 3600 });
      [client] = await clientsOf(cluster);
      etcd = await openEtcd(cluster);
      for (const policy of otherPolicies()) await apply(cluster, policy);
      await enforce(cluster, versionedPolicy(0));
      await waitFor("all in force", async () => typeof (await inForce()) === "number");
    });
    afterAll(async () => {
      etcd?.[Symbol.dispose]();
      await client?.close();
      await shieldx?.stop();
      await cluster?.stop();
    });

    /** The version the webhook answers by at present, or what is wrong with its answer. */
    async function inForce(): Promise<number | string> {
      try {
        await client.create(Pod, pod("bad") as unknown as KubeObject, { dryRun: true, retries: 0 });
        return "the bad Pod was admitted";
      } catch (error) {
        return error instanceof ApiError ? versionIn(error.message) : String(error);
      }
    }

    /** Past the webhook for our own kinds, which would refuse it: as if that had been away. */
    async function storeBroken(): Promise<void> {
      const found = (await etcd.call("/v3/kv/range", { key })) as { kvs?: { value: string }[] };
      const object = JSON.parse(Buffer.from(found.kvs?.[0]?.value ?? "", "base64").toString()) as {
        metadata: { generation: number };
        spec: { validations: { expression: string }[] };
      };
      object.metadata.generation += 1;
      for (const validation of object.spec.validations) validation.expression = "object.metadata. ==";
      const value = Buffer.from(JSON.stringify(object)).toString("base64");
      await etcd.call("/v3/kv/put", { key, value });
    }

    async function becomes(version: number): Promise<number> {
      const { spec } = versionedPolicy(version);
      await client.patch(ShieldPolicy, { name: versioned }, { spec }, { type: "merge" });
      const changedAt = performance.now();
      for (;;) {
        const seen = await inForce();
        if (seen === version) return performance.now() - changedAt;
        if (performance.now() - changedAt > 30_000)
          throw new Error(`version ${version} is not in force: ${seen}`);
        await delay(2);
      }
    }

    it(
      "answers every request by one whole set, never an older one than was seen before",
      async () => {
        /** What was confirmed, and when: no request sent later may be answered by less. */
        const confirmed = [{ version: 0, atMs: performance.now() }];
        let newest = 0;
        const refusal = (message: string, sentAtMs: number): string | undefined => {
          const version = versionIn(message);
          if (typeof version === "string") return version;
          const floor = confirmed.findLast(({ atMs }) => atMs <= sentAtMs)?.version ?? 0;
          return version < floor || version > newest
            ? `version ${version}, when ${floor} had been seen and ${newest} was the newest`
            : undefined;
        };
        const load = startAdmissionLoad({
          ...{ clients: [client], perSecond, good: pod("good"), bad: pod("bad"), refusal },
        });
        onTestFinished(async () => void (await load.stop()));
        const tookMs: number[] = [];
        let broken = 0;
        let rotated = 0;
        for (let reload = 1; reload <= reloads; reload++) {
          if (rotated < Math.floor((reload * rotations) / reloads)) await rotate(++rotated);
          if (reload % 10 === 5) {
            await storeBroken();
            broken++;
            await delay(50);
            expect(await inForce()).toBe(newest);
          } else {
            newest = reload;
            tookMs.push(await becomes(reload));
            confirmed.push({ version: reload, atMs: performance.now() });
          }
          expect(load.soFar.unexpected).toEqual([]);
        }
        await waitFor("the last rotation complete", async () => {
          const trust = await readTrust(client);
          return trust.phase === "Stable" && trust.handled === `ca:${rotated}`;
        });
        const report = await load.stop();
        const { p50, p99, max } = percentiles(tookMs);
        console.log(
          `reloads ${reloads} (broken ${broken}) of a policy of ${rules} rules among 21, rotations ${rotated}; ` +
            `requests ${report.requests} (admitted ${report.admitted}, refused ${report.refused}), failures ${report.failures}; ` +
            `ms until in force p50 ${p50.toFixed(0)} p99 ${p99.toFixed(0)} max ${max.toFixed(0)}`,
        );
        expect(report.unexpected).toEqual([]);
        expect(report.failures).toBe(0);
        expect(report.admitted + report.refused).toBe(report.requests);
      },
      120_000 + reloads * 5_000,
    );

    /** Begun, and waited for only where the one before has not ended. */
    async function rotate(index: number): Promise<void> {
      await waitFor(
        "the rotation before complete",
        async () => (await readTrust(client)).phase === "Stable",
        {
          timeoutMs: 60_000,
        },
      );
      await requestRotation(client, `${index}`);
    }
  });
}
