import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent } from "undici";
import type { Cluster } from "../../e2e/cluster/index.ts";
import { typicalPod } from "../admission/pods.ts";

/** How much there is: Pods spread evenly over namespaces and Nodes, every tenth of them an offender. */
export interface Population {
  readonly pods: number;
  readonly nodes: number;
  readonly namespaces: number;
}

/** etcd takes this many operations in a transaction. */
const perTransaction = 128;
const transactionsUnderWay = 4;

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
  await using etcd = new Etcd(cluster);
  const nodeTemplate = await etcd.read(`/registry/minions/${nodeName(0)}`);
  await etcd.writeAll(nodes - 1, (at) => {
    const name = nodeName(at + 1);
    return [`/registry/minions/${name}`, renamed(nodeTemplate, [[nodeName(0), name]])];
  });
  const bad = await etcd.read(`/registry/pods/${namespace}/${podName(0)}`);
  const good = await etcd.read(`/registry/pods/${namespace}/${podName(1)}`);
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

/** etcd's JSON gateway, with the API server's own client certificate. */
class Etcd implements AsyncDisposable {
  readonly #agent: Agent;
  readonly #url: string;

  constructor(cluster: Cluster) {
    const flags = readFileSync(`/proc/${cluster.apiServers[0]?.pid}/cmdline`, "utf8").split("\0");
    const flag = (name: string): string => {
      const found = flags.find((text) => text.startsWith(`--${name}=`));
      if (found === undefined) throw new Error(`the API server runs without --${name}`);
      return found.slice(name.length + 3);
    };
    this.#url = flag("etcd-servers");
    this.#agent = new Agent({
      connect: {
        ca: readFileSync(flag("etcd-cafile")),
        cert: readFileSync(flag("etcd-certfile")),
        key: readFileSync(flag("etcd-keyfile")),
        // Its certificate has the name of its authority, which OpenSSL takes for self-signed.
        rejectUnauthorized: false,
      },
    });
  }

  async read(key: string): Promise<Buffer> {
    const answer = (await this.#call("/v3/kv/range", { key: base64(key) })) as { kvs?: { value: string }[] };
    const value = answer.kvs?.[0]?.value;
    if (value === undefined) throw new Error(`etcd holds no ${key}`);
    return Buffer.from(value, "base64");
  }

  async writeAll(count: number, make: (at: number) => [key: string, value: Buffer]): Promise<void> {
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < count) {
        const from = next;
        next = Math.min(count, from + perTransaction);
        const success = Array.from({ length: next - from }, (_, offset) => {
          const [key, value] = make(from + offset);
          return { requestPut: { key: base64(key), value: value.toString("base64") } };
        });
        await this.#call("/v3/kv/txn", { success });
      }
    };
    await Promise.all(Array.from({ length: transactionsUnderWay }, work));
  }

  async #call(path: string, body: object): Promise<unknown> {
    const { statusCode, body: answer } = await this.#agent.request({
      origin: this.#url,
      method: "POST",
      path,
      body: JSON.stringify(body),
    });
    const text = await answer.text();
    if (statusCode !== 200) throw new Error(`etcd ${path}: ${statusCode} ${text.slice(0, 300)}`);
    return JSON.parse(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.close();
  }
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");
