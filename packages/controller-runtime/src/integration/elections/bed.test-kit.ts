import { startCluster } from "@shieldx/e2e/cluster";
import { type Client, ConfigMap, createClient, loadCredentials, Namespace } from "../../index.ts";
import { type ElectionRecord, lateWrites, readElections } from "./leadership-judge.test-kit.ts";

export const namespace = "elections";

/** A real API server for elections, and its account of them. */
export interface ElectionBed extends AsyncDisposable {
  readonly kubeconfig: string;
  readonly server: string;
  readonly client: Client;
  /** Makes what the leaders of these Leases write to. */
  prepare(leases: readonly string[], mapsPerLease: number): Promise<void>;
  /** What the server was asked to write so far, and who wrote too late. */
  judge(leases: readonly string[]): Promise<Account>;
}

export interface Account {
  readonly records: ReadonlyMap<string, ElectionRecord>;
  readonly late: readonly string[];
  /** How much there was to judge. */
  readonly line: string;
}

export async function electionBed(): Promise<ElectionBed> {
  const cluster = await startCluster({
    audit: {
      rules: [
        {
          level: "RequestResponse",
          verbs: ["create", "update"],
          resources: [{ group: "coordination.k8s.io", resources: ["leases"] }],
          namespaces: [namespace],
        },
        {
          level: "Metadata",
          verbs: ["patch"],
          resources: [{ group: "", resources: ["configmaps"] }],
          namespaces: [namespace],
        },
        { level: "None" },
      ],
    },
  });
  const client = createClient({ credentials: await loadCredentials({ kubeconfig: cluster.kubeconfig }) });
  await client.create(Namespace, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  return {
    kubeconfig: cluster.kubeconfig,
    server: cluster.apiServers[0]?.url ?? "",
    client,
    prepare: async (leases, mapsPerLease) => {
      for (const lease of leases) {
        for (let at = 0; at < mapsPerLease; at++) {
          const metadata = { name: `${lease}.${at}`, namespace, labels: { lease } };
          await client.create(ConfigMap, { apiVersion: "v1", kind: "ConfigMap", metadata });
        }
      }
    },
    judge: async (leases) => {
      const all = await readElections(cluster.auditLog ?? "");
      return judged(new Map([...all].filter(([lease]) => leases.includes(lease))));
    },
    [Symbol.asyncDispose]: async () => {
      await client.close();
      await cluster.stop();
    },
  };
}

function judged(records: ReadonlyMap<string, ElectionRecord>): Account {
  const all = [...records];
  const late = all.flatMap(([lease, record]) => lateWrites(lease, record));
  const writes = all.reduce((sum, [, record]) => sum + record.writes.length, 0);
  const takeovers = all.reduce(
    (sum, [, { acquisitions }]) => sum + acquisitions.filter(({ holder }) => holder !== "").length,
    0,
  );
  return {
    records,
    late,
    line: `${takeovers} acquisitions, ${writes} writes at the server, ${late.length} of them late`,
  };
}
