import { startCluster } from "@shieldx/e2e/cluster";
import { describe, expect, it } from "vitest";
import { ApiClient } from "../../../testing/cel-oracle/api-client.ts";
import { Authorizations } from "../../../testing/cel-oracle/authorizations.ts";
import { functionCatalogue } from "../../../testing/cel-oracle/function-catalogue.ts";
import { Judge } from "../../../testing/cel-oracle/judge.ts";
import { objectKinds } from "../../../testing/cel-oracle/objects.ts";
import { OracleServer } from "../../../testing/cel-oracle/oracle-server.ts";
import { oraclePolicy } from "../../../testing/cel-oracle/policies.ts";
import { RecordingWebhook } from "../../../testing/cel-oracle/recording-webhook.ts";

/** The first policy's seed; each policy has its own. Replay a run with SHIELDX_SEED. */
const firstSeed = Number(process.env.SHIELDX_SEED ?? 20_260_101);
const pairCount = Number(process.env.SHIELDX_ORACLE_PAIRS ?? 5_000);
const policiesPerBatch = 80;
const requestsPerChunk = 16;

describe("a real API server with ValidatingAdmissionPolicies", () => {
  it(`agrees on ${pairCount} pairs of policy and request: verdict, message, reason and status`, {
    timeout: 1_800_000,
  }, async () => {
    await using cluster = await startCluster({ name: "cel-oracle", audit: true });
    const api = await ApiClient.fromKubeconfig(cluster.kubeconfig);
    const webhook = await RecordingWebhook.start(Date.now());
    try {
      const server = new OracleServer(api, webhook, cluster.auditLog ?? "");
      await server.prepare(objectKinds);
      const judge = new Judge(await server.surroundings(), new Authorizations(api));
      for (let first = 0; judge.pairs < pairCount; first += policiesPerBatch) {
        const policies = Array.from({ length: policiesPerBatch }, (_, at) =>
          oraclePolicy(firstSeed + first + at, first + at),
        );
        const record = await server.ask(policies, first, requestsPerChunk);
        await judge.judge(policies, first, record);
        expect(judge.differences.slice(0, 3), `seed ${firstSeed}`).toEqual([]);
      }
      console.info(judge.report());
      if (pairCount < 5_000) return;
      expect(judge.denied / judge.pairs).toBeGreaterThan(0.3);
      expect(judge.errors / judge.pairs).toBeGreaterThan(0.1);
      expect(judge.refused).toBeGreaterThan(5);
      expect(functionCatalogue.filter(({ key }) => (judge.used.get(key) ?? 0) < 20)).toEqual([]);
    } finally {
      api.close();
      await webhook.stop();
    }
  });
});
