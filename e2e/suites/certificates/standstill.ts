import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type Client, EndpointSlice, Lease } from "@shieldx/controller-runtime";
import { splitBundle } from "@shieldx/pki";
import type { Cluster } from "../../cluster/index.ts";
import { clientsOf } from "../../shieldx/clients.ts";
import type { ShieldxOnHost } from "../../shieldx/host.ts";
import { scrape, scraperToken } from "../../shieldx/metrics.ts";
import { configurationNames, leafMetBy, publishedBundles, readTrust } from "./webhook-trust.ts";

const lastLines = 12;

/** What a rotation that does not get on has reached: state, bundles, API servers, replicas, the operator's last words. */
export async function standstill(cluster: Cluster, shieldx: ShieldxOnHost, client: Client): Promise<string> {
  const trust = await readTrust(client);
  const clients = await clientsOf(cluster);
  const seen = await Promise.all(clients.map(asSeenBy));
  await Promise.all(clients.map((each) => each.close()));
  const token = await scraperToken(cluster);
  const work = await Promise.all(shieldx.operators.map((operator) => unfinishedWork(operator, token)));
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
    `bundle ${named(trust.bundle)}; ${cluster.apiServers.length} API servers, listed ${servers.join(" ")}`,
    ...seen,
    ...work,
    (await Promise.all(processes)).join(", "),
    ...leases.items.map(({ metadata, spec }) => JSON.stringify([metadata.name, metadata.annotations, spec])),
    ...(await Promise.all(shieldx.operators.map(({ logFile }) => tail(logFile)))),
    ...(await Promise.all(shieldx.webhooks.map(({ logFile }) => tail(logFile)))),
  ].join("\n");
}

const named = (bundle: string): string =>
  splitBundle(bundle)
    .map((authority) => createHash("sha256").update(authority).digest("hex").slice(0, 8))
    .join("+");

/** What one API server holds in each caBundle, and whom it meets when it calls the webhook. */
async function asSeenBy(client: Client): Promise<string> {
  const bundles = (await publishedBundles(client)).map(named);
  const met = configurationNames.map((name) =>
    leafMetBy(client, name).then(
      (leaf) => leaf.slice(0, 16),
      (error: Error) => error.message.slice(0, 300),
    ),
  );
  return `${client.server}: caBundles ${bundles.join(" ")}; meets ${(await Promise.all(met)).join(" | ")}`;
}

async function unfinishedWork(operator: ShieldxOnHost["operators"][number], token: string): Promise<string> {
  const names = ["workqueue_depth", "workqueue_longest_running_processor_seconds", "workqueue_retries_total"];
  return (await scrape(operator, token))
    .filter(({ name, value }) => names.includes(name) && value > 0)
    .map(({ name, labels, value }) => `${name}{${labels.name}} ${value}`)
    .join(", ");
}

async function tail(file: string): Promise<string> {
  return (await readFile(file, "utf8")).trimEnd().split("\n").slice(-lastLines).join("\n");
}
