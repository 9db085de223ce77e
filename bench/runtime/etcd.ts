/**
 * Writing objects where the API server keeps them: 100,000 creates take the server minutes, and how objects came to be
 * is not what is measured. Custom resources are stored as JSON; each written here equals one the server wrote itself
 * but for what its content says.
 */
import { readFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import { join } from "node:path";
import type { Cluster } from "@shieldx/e2e/cluster";
import { group, namespaceOf, uidOf, type Widget, widget } from "./widget.ts";

/** etcd takes at most 128 operations in a transaction. */
const batch = 120;

/** Adds the widgets from `first` up to, not including, `end`; `model` is one as the API server answered its creation. */
export async function addWidgets(cluster: Cluster, model: Widget, first: number, end: number): Promise<void> {
  const etcd = await connect(cluster);
  const starts: number[] = [];
  for (let at = first; at < end; at += batch) starts.push(at);
  const lane = async (): Promise<void> => {
    for (let start = starts.pop(); start !== undefined; start = starts.pop()) {
      const success = [];
      for (let at = start; at < Math.min(start + batch, end); at++) {
        const object = stored(model, at);
        const key = `/registry/${group}/widgets/${namespaceOf(at)}/${object.metadata.name}`;
        success.push({ request_put: { key: base64(key), value: base64(JSON.stringify(object)) } });
      }
      await etcd.call("/v3/kv/txn", { success });
    }
  };
  try {
    await Promise.all(Array.from({ length: 4 }, lane));
  } finally {
    etcd.close();
  }
}

function stored(model: Widget, at: number): Widget {
  const object = widget(at);
  const { creationTimestamp, generation, managedFields } = model.metadata;
  const server = { creationTimestamp, generation, managedFields, uid: uidOf(at) };
  return { ...object, metadata: { ...object.metadata, ...server } as Widget["metadata"] };
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

async function connect(
  cluster: Cluster,
): Promise<{ call(path: string, body: object): Promise<void>; close(): void }> {
  const pki = (file: string): Promise<string> => readFile(join(cluster.dir, "pki", file), "utf8");
  const flags = (await readFile(`/proc/${cluster.apiServers[0]?.pid}/cmdline`, "utf8")).split("\0");
  const url = flags.find((flag) => flag.startsWith("--etcd-servers="))?.split("=")[1];
  if (url === undefined) throw new Error("the API server's command line names no etcd");
  const agent = new Agent({
    keepAlive: true,
    // The test cluster's etcd CA and leaf bear one name, which OpenSSL takes for a self-signed certificate.
    rejectUnauthorized: false,
    cert: await pki("apiserver-etcd-client.crt"),
    key: await pki("apiserver-etcd-client.key"),
  });
  return {
    call: (path, body) =>
      new Promise((resolve, reject) => {
        const call = request(`${url}${path}`, { method: "POST", agent }, (answer) => {
          let text = "";
          answer.setEncoding("utf8").on("data", (part: string) => {
            text += part;
          });
          answer.on("end", () => {
            if (answer.statusCode === 200) resolve();
            else reject(new Error(`etcd ${path}: ${answer.statusCode} ${text}`));
          });
        });
        call.on("error", reject);
        call.end(JSON.stringify(body));
      }),
    close: () => agent.destroy(),
  };
}
