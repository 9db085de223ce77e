import { startCluster } from "@shieldx/e2e/cluster";
import { type Client, ConfigMap, createClient, loadCredentials, Namespace } from "../../index.ts";
import { type ElectionRecord, lateWrites, readElections } from "./leadership-judge.test-kit.ts";

export const namespace = "elections";

/** A real API server with everything that elections under these Lease names need, and its account of them. */
export interface ElectionBed extends AsyncDisposable {
  readonly kubeconfig: string;
  readonly server: string;
  readonly client: Client;
  /** What the server was asked to write so far. */
  records(): Promise<Map<string, ElectionRecord>>;
}

export async function electionBed(leases: readonly string[], mapsPerLease: number): Promise<ElectionBed> {
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
  for (const lease of leases) {
    for (let at = 0; at < mapsPerLease; at++) {
      const metadata = { name: `${lease}.${at}`, namespace, labels: { lease } };
      await client.create(ConfigMap, { apiVersion: "v1", kind: "ConfigMap", metadata });
    }
  }
  return {
    kubeconfig: cluster.kubeconfig,
    server: cluster.apiServers[0]?.url ?? "",
    client,
    records: () => readElections(cluster.auditLog ?? ""),
    [Symbol.asyncDispose]: async () => {
      await client.close();
      await cluster.stop();
    },
  };
}

/** The late writes of all elections, and a line on how many there were to judge. */
export function judgeAll(records: ReadonlyMap<string, ElectionRecord>): { late: string[]; line: string } {
  const all = [...records];
  const late = all.flatMap(([lease, record]) => lateWrites(lease, record));
  const writes = all.reduce((sum, [, record]) => sum + record.writes.length, 0);
  const takeovers = all.reduce(
    (sum, [, { acquisitions }]) => sum + acquisitions.filter(({ holder }) => holder !== "").length,
    0,
  );
  return {
    late,
    line: `${takeovers} acquisitions, ${writes} writes at the server, ${late.length} of them late`,
  };
}
