import { randomUUID } from "node:crypto";
import { type Cluster, type Etcd, openEtcd } from "../../e2e/cluster/index.ts";
import { typicalPod } from "../admission/pods.ts";

/** How much there is: Pods spread evenly over namespaces and Nodes, every tenth of them an offender. */
export interface Population {
  readonly pods: number;
  readonly nodes: number;
  readonly namespaces: number;
}

export const seedNamespace = (index: number): string => `seed-${String(index).padStart(3, "0")}`;
const nodeName = (index: number): string => `node-${String(index).padStart(6, "0")}`;
const podName = (index: number): string => `pod-${String(index).padStart(9, "0")}`;

/** Fills the cluster; resolves when the API server's caches can have everything. */
export async function seed(cluster: Cluster, { pods, nodes, namespaces }: Population): Promise<void> {
  for (let index = 0; index < namespaces; index++) {
    const name = seedNamespace(index);
    await must(cluster, ["create", "namespace", name]);
    await must(cluster, ["create", "serviceaccount", "default", "-n", name], true);
  }
  await must(cluster, ["apply", "-f", "-"], false, {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: nodeName(0) },
  });
  const namespace = seedNamespace(0);
  for (const [index, spec] of [
    [0, { hostNetwork: true }],
    [1, {}],
  ] as const) {
    const pod = typicalPod(podName(index));
    await must(cluster, ["create", "-n", namespace, "-f", "-"], false, {
      ...pod,
      spec: {
        ...(pod.spec as object),
        ...spec,
        nodeName: nodeName(0),
        tolerations: [{ operator: "Exists" }],
      },
    });
  }
  using etcd = await openEtcd(cluster);
  const nodeTemplate = await read(etcd, `/registry/minions/${nodeName(0)}`);
  await etcd.writeAll(nodes - 1, (at) => {
    const name = nodeName(at + 1);
    return [`/registry/minions/${name}`, renamed(nodeTemplate, [[nodeName(0), name]])];
  });
  const bad = await read(etcd, `/registry/pods/${namespace}/${podName(0)}`);
  const good = await read(etcd, `/registry/pods/${namespace}/${podName(1)}`);
  await etcd.writeAll(pods - 2, (at) => {
    const index = at + 2;
    const isBad = index % 10 === 0;
    const to = seedNamespace(index % namespaces);
    const name = podName(index);
    const value = renamed(isBad ? bad : good, [
      [podName(isBad ? 0 : 1), name],
      [namespace, to],
      [nodeName(0), nodeName(index % nodes)],
    ]);
    return [`/registry/pods/${to}/${name}`, value];
  });
}

/** The stored value with names of equal length replaced, and with a uid of its own. */
function renamed(template: Buffer, names: readonly (readonly [string, string])[]): Buffer {
  let text = template.toString("latin1");
  for (const [from, to] of names) {
    if (from.length !== to.length) throw new Error(`"${from}" and "${to}" differ in length`);
    text = text.replaceAll(from, to);
  }
  return Buffer.from(text.replace(uid, randomUUID()), "latin1");
}

const uid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/;

async function must(
  cluster: Cluster,
  args: readonly string[],
  mayExist = false,
  manifest?: object,
): Promise<void> {
  const input = manifest === undefined ? {} : { input: JSON.stringify(manifest) };
  const { code, stderr } = await cluster.kubectl(args, input);
  if (code !== 0 && !(mayExist && stderr.includes("already exists"))) {
    throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
  }
}

async function read(etcd: Etcd, key: string): Promise<Buffer> {
  const asked = { key: Buffer.from(key).toString("base64") };
  const { kvs } = (await etcd.call("/v3/kv/range", asked)) as { kvs?: { value: string }[] };
  if (kvs?.[0] === undefined) throw new Error(`etcd holds no ${key}`);
  return Buffer.from(kvs[0].value, "base64");
}
