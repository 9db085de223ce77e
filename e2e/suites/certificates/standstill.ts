import { readFile } from "node:fs/promises";
import { type Client, EndpointSlice, Lease } from "@shieldx/controller-runtime";
import { splitBundle } from "@shieldx/pki";
import type { Cluster } from "../../cluster/index.ts";
import type { ShieldxOnHost } from "../../shieldx/host.ts";
import { publishedBundles, readTrust } from "./webhook-trust.ts";

const lastLines = 12;

/** What a rotation that does not get on has reached: state, bundles, API servers, replicas, the operator's last words. */
export async function standstill(cluster: Cluster, shieldx: ShieldxOnHost, client: Client): Promise<string> {
  const trust = await readTrust(client);
  const bundles = (await publishedBundles(client)).map((bundle) => splitBundle(bundle).length);
  const slices = await client.list(EndpointSlice, {
    namespace: "default",
    labelSelector: "kubernetes.io/service-name=kubernetes",
  });
  const servers = slices.items.flatMap(({ endpoints }) =>
    (endpoints ?? []).flatMap(({ addresses }) => addresses),
  );
  const leases = await client.list(Lease, { namespace: "shieldx-system" });
  const processes = [...shieldx.operators, ...shieldx.webhooks].map(
    async ({ name, exited }) =>
      `${name} ${await Promise.race([exited.then((code) => `ended (${code})`), "runs"])}`,
  );
  return [
    `phase ${trust.phase}, obeyed ${trust.handled}, leaf ${trust.leaf.slice(0, 16)}`,
    `CAs in each caBundle ${bundles.join(" ")}; ${cluster.apiServers.length} API servers, listed ${servers.join(" ")}`,
    (await Promise.all(processes)).join(", "),
    ...leases.items.map(({ metadata, spec }) => JSON.stringify([metadata.name, metadata.annotations, spec])),
    ...(await Promise.all(shieldx.operators.map(({ logFile }) => tail(logFile)))),
    ...(await Promise.all(shieldx.webhooks.map(({ logFile }) => tail(logFile)))),
  ].join("\n");
}

async function tail(file: string): Promise<string> {
  return (await readFile(file, "utf8")).trimEnd().split("\n").slice(-lastLines).join("\n");
}
