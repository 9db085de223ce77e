import type { Client } from "@shieldx/controller-runtime";
import { sameBundle, splitBundle } from "@shieldx/pki";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { percentiles, startAdmissionLoad } from "../../shieldx/admission-load.ts";
import { clientsOf } from "../../shieldx/clients.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { apiServerMetrics, type Sample, scrape, scraperToken, sum } from "../../shieldx/metrics.ts";
import { enforce, podSecurityPolicy, restrictedPod } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";
import { standstill } from "./standstill.ts";
import {
  configurationNames,
  handshake,
  leafMetBy,
  publishedBundles,
  readTrust,
  requestRotation,
  servedSecretLeaf,
  type Trust,
} from "./webhook-trust.ts";

export interface RotationSuiteOptions {
  readonly rotations: number;
  /** Requests per second through the API servers while certificates rotate. */
  readonly perSecond?: number;
  /** A rotation takes a fraction of a second; the next one waits until this many requests went through this one. */
  readonly requestsEach?: number;
}

const policy = "rotating";
/** After this long the test says what a rotation waits for, and after this much longer it fails. */
const slowMs = 10_000;
const longestMs = 110_000;
/** Of a request that the webhook should have answered and did not, as the API server counts it. */
const errorCounters = [
  "apiserver_admission_webhook_rejection_count",
  "apiserver_admission_webhook_fail_open_count",
];

/** Of each rotation, on the serving port, at most: one we see through, and one that we break off. */
const ownHandshakes = 2;

/** CA rotations in a row under load, with two API servers and a policy that fails closed: not one request may suffer. */
export function rotationSuite({ rotations, perSecond = 60, requestsEach = 60 }: RotationSuiteOptions): void {
  describe(`${rotations} rotations of the webhook's CA under ${perSecond} requests/s`, () => {
    let cluster: Cluster;
    let shieldx: ShieldxOnHost;
    let clients: readonly [Client, ...Client[]];
    let token: string;

    beforeAll(async () => {
      cluster = await startCluster({ apiServers: 2 });
      shieldx = await startShieldxOnHost(cluster, { tokenSeconds: 12 * 3600 });
      clients = await clientsOf(cluster);
      token = await scraperToken(cluster);
      await enforce(cluster, podSecurityPolicy(policy, { failurePolicy: "Fail" }));
      await everyServerRefuses();
    });
    afterAll(async () => {
      await Promise.all((clients ?? []).map((client) => client.close()));
      await shieldx?.stop();
      await cluster?.stop();
    });

    /** A policy is in force at one API server some moments before it is at the other. */
    async function everyServerRefuses(): Promise<void> {
      for (const client of clients) {
        await waitFor(`${client.server} refuses`, async () => {
          const once = startAdmissionLoad({ ...requests(), clients: [client], perSecond: 50 });
          await waitFor("some answers", () => once.soFar.requests >= 4);
          return (await once.stop()).failures === 0;
        });
      }
    }

    function requests() {
      return {
        good: restrictedPod("good"),
        bad: restrictedPod("bad", { hostNetwork: true }),
        refusal: `ShieldPolicy "${policy}"`,
      };
    }

    /** Calls of the webhook that failed for another reason than its verdict, by entry; of all API servers. */
    async function callErrors(): Promise<Map<string, number>> {
      const errors = new Map<string, number>();
      for (const client of clients) {
        const samples = (await apiServerMetrics(client)).filter(
          ({ name, labels }) => errorCounters.includes(name) && labels.error_type !== "no_error",
        );
        for (const { labels, value } of samples) {
          const name = labels.name ?? "unnamed";
          errors.set(name, (errors.get(name) ?? 0) + value);
        }
      }
      return errors;
    }

    /** For people, when something failed: how many connections the webhook holds and has turned away. */
    async function connections(): Promise<string> {
      const [replica] = shieldx.webhooks;
      if (replica === undefined) return "no webhook replica runs";
      return (await scrape(replica, token))
        .filter(({ name }) => /^shieldx_webhook_(connections|refused_connections_total)$/.test(name))
        .map(({ name, labels, value }) => `${name.slice(16)} ${Object.values(labels).join(" ")}: ${value}`)
        .join(", ");
    }

    async function handshakesWith(leaf: string): Promise<number> {
      const ours = ({ name, labels }: Sample): boolean =>
        name === "shieldx_webhook_handshakes_total" &&
        labels.port === "https" &&
        leaf.startsWith(labels.leaf ?? "none");
      const [replica] = shieldx.webhooks;
      if (replica === undefined) throw new Error("no webhook replica runs");
      return sum((await scrape(replica, token)).filter(ours));
    }

    async function rotate(index: number): Promise<Trust> {
      const nonce = `${index}`;
      await requestRotation(clients[0], nonce);
      const complete = async (): Promise<Trust | undefined> => {
        const trust = await readTrust(clients[0]);
        return trust.phase === "Stable" && trust.handled === `ca:${nonce}` ? trust : undefined;
      };
      const what = `rotation ${index} complete`;
      try {
        return await waitFor(what, complete, { timeoutMs: slowMs, everyMs: 20 });
      } catch {
        console.log(`rotation ${index} is slow: ${await standstill(cluster, shieldx, clients[0])}`);
      }
      try {
        return await waitFor(what, complete, { timeoutMs: longestMs, everyMs: 100 });
      } catch (cause) {
        throw new Error(`${what}: ${await standstill(cluster, shieldx, clients[0])}`, { cause });
      }
    }

    async function checkRotated(former: Trust, now: Trust): Promise<void> {
      expect(now.leaf).not.toBe(former.leaf);
      expect(splitBundle(now.bundle)).toHaveLength(1);
      expect(sameBundle(now.bundle, former.bundle)).toBe(false);
      for (const published of await publishedBundles(clients[0])) {
        expect(sameBundle(published, now.bundle)).toBe(true);
      }
      expect(await servedSecretLeaf(clients[0])).toBe(now.leaf);
      for (const client of clients) {
        for (const configuration of configurationNames) {
          expect(await leafMetBy(client, configuration)).toBe(now.leaf);
        }
      }
      expect(await handshake(shieldx.webhookUrl, now.bundle)).toBe(now.leaf);
      await expect(handshake(shieldx.webhookUrl, former.bundle)).rejects.toMatchObject({
        code: expect.stringMatching(/^(UNABLE_TO_|CERT_SIGNATURE_FAILURE|SELF_SIGNED_)/),
      });
    }

    it(
      "loses no request, and the former CA is trusted nowhere afterwards",
      async () => {
        const errorsBefore = await callErrors();
        const load = startAdmissionLoad({ ...requests(), clients, perSecond });
        onTestFinished(async () => void (await load.stop()));
        const tookMs: number[] = [];
        const began = performance.now();
        let trust = await readTrust(clients[0]);
        for (let index = 1; index <= rotations; index++) {
          const former = trust;
          const sentBefore = load.soFar.requests;
          const asked = performance.now();
          trust = await rotate(index);
          tookMs.push(performance.now() - asked);
          await checkRotated(former, trust);
          await waitFor("an API server's handshake with the new leaf where it is in use", async () => {
            return (await handshakesWith(trust.leaf)) > ownHandshakes;
          });
          await waitFor("enough requests during this rotation", () => {
            return load.soFar.requests - sentBefore >= requestsEach;
          });
          expect(load.soFar.unexpected, await connections()).toEqual([]);
          if (index % 100 === 0 && index < rotations) {
            console.log(`${index} rotations, ${load.soFar.requests} requests; ${await connections()}`);
          }
        }
        const seconds = (performance.now() - began) / 1000;
        const report = await load.stop();
        const errors = await callErrors();
        const grown = new Map(
          [...errors].map(([name, count]) => [name, count - (errorsBefore.get(name) ?? 0)]),
        );
        const { p50, p99, max } = percentiles(tookMs);
        console.log(
          `rotations ${rotations} in ${seconds.toFixed(1)} s, ms each p50 ${p50.toFixed(0)} p99 ${p99.toFixed(0)} max ${max.toFixed(0)}; ` +
            `requests ${report.requests} at ${report.perSecond.toFixed(1)}/s (admitted ${report.admitted}, refused ${report.refused}), ` +
            `failures ${report.failures}, ms p50 ${report.p50Ms.toFixed(1)} p99 ${report.p99Ms.toFixed(1)} max ${report.slowestMs.toFixed(0)}; ` +
            `webhook errors counted by the API servers: ${JSON.stringify(Object.fromEntries(grown))}`,
        );
        expect(report.failures).toBe(0);
        expect(report.admitted + report.refused).toBe(report.requests);
        expect(report.perSecond).toBeGreaterThanOrEqual(50);
        // The probe exists to find out whether a server trusts the new bundle yet, so its attempts may fail.
        expect([...grown].filter(([name, count]) => name !== "probe.shieldx.io" && count !== 0)).toEqual([]);
      },
      120_000 + rotations * 20_000,
    );
  });
}
