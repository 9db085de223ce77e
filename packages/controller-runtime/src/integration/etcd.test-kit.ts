import { type Cluster, type Etcd, openEtcd } from "@shieldx/e2e/cluster";

/** Makes etcd forget every version before the present one, as the API server has it do every five minutes. */
export async function compact(etcd: Etcd): Promise<void> {
  const asked = { key: Buffer.from("x").toString("base64") };
  const now = (await etcd.call("/v3/kv/range", asked)) as { header?: { revision?: string } };
  try {
    await etcd.call("/v3/kv/compaction", { revision: now.header?.revision, physical: true });
  } catch (error) {
    // Another compaction, to a later version, was faster.
    if (!String(error).includes("has been compacted")) throw error;
  }
}

/** One compaction. */
export async function compactEtcd(cluster: Cluster): Promise<void> {
  using etcd = await openEtcd(cluster);
  await compact(etcd);
}
