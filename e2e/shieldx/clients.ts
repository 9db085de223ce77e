import { type Client, createClient, loadCredentials } from "@shieldx/controller-runtime";
import type { Cluster } from "../cluster/index.ts";

/** One client with all rights for each API server of the cluster, in their order. The caller closes them. */
export async function clientsOf(cluster: Cluster): Promise<readonly [Client, ...Client[]]> {
  const [first, ...rest] = await Promise.all(
    cluster.apiServers.map(async (_, index) =>
      createClient({
        credentials: await loadCredentials({ kubeconfig: await cluster.kubeconfigFor(index) }),
        userAgent: "shieldx-e2e",
      }),
    ),
  );
  if (first === undefined) throw new Error(`cluster ${cluster.name} has no API server`);
  return [first, ...rest];
}
