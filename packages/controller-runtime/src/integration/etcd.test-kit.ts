import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Cluster } from "@shieldx/e2e/cluster";
import { Agent, request } from "undici";

/** The etcd behind a cluster's API servers. */
export interface Etcd {
  /** Makes it forget every version before the present one, as the API server has it do every five minutes. */
  compact(): Promise<void>;
  close(): Promise<void>;
}

export async function openEtcd(cluster: Cluster): Promise<Etcd> {
  const pki = (file: string) => readFile(join(cluster.dir, "pki", file), "utf8");
  const flags = (await readFile(`/proc/${cluster.apiServers[0]?.pid}/cmdline`, "utf8")).split("\0");
  const etcd = flags.find((flag) => flag.startsWith("--etcd-servers="))?.split("=")[1];
  const dispatcher = new Agent({
    // The test cluster's etcd CA and leaf bear one name, which OpenSSL takes for a self-signed certificate.
    connect: {
      rejectUnauthorized: false,
      cert: await pki("apiserver-etcd-client.crt"),
      key: await pki("apiserver-etcd-client.key"),
    },
  });
  const call = async (path: string, body: object): Promise<{ header?: { revision?: string } }> => {
    const answer = await request(`${etcd}${path}`, {
      method: "POST",
      body: JSON.stringify(body),
      dispatcher,
    });
    const text = await answer.body.text();
    if (answer.statusCode === 200) return JSON.parse(text) as { header?: { revision?: string } };
    if (text.includes("has been compacted")) return {}; // another compaction, to a later version, was faster
    throw new Error(`etcd ${path}: ${answer.statusCode} ${text}`);
  };
  return {
    compact: async () => {
      const now = await call("/v3/kv/range", { key: Buffer.from("x").toString("base64") });
      await call("/v3/kv/compaction", { revision: now.header?.revision, physical: true });
    },
    close: () => dispatcher.close(),
  };
}

/** One compaction. */
export async function compactEtcd(cluster: Cluster): Promise<void> {
  const etcd = await openEtcd(cluster);
  await etcd.compact();
  await etcd.close();
}
