/** Where the API servers of a cluster keep their objects: etcd's JSON gateway, with a server's own certificate. */
import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { text } from "node:stream/consumers";
import type { Cluster } from "./cluster.ts";
import { ClusterError } from "./errors.ts";

export interface Etcd extends Disposable {
  /** Keys and values are in base64. Throws what etcd answered, where that is not 200. */
  call(path: string, body: object): Promise<unknown>;
  /** What it holds whose names begin so, and the bytes of those values. */
  held(prefix: string): Promise<{ readonly objects: number; readonly bytes: number }>;
  writeAll(count: number, make: (at: number) => readonly [name: string, value: Buffer]): Promise<void>;
}

/** etcd takes at most this many operations in a transaction. */
const perTransaction = 128;
const transactionsUnderWay = 4;

export async function openEtcd(cluster: Cluster): Promise<Etcd> {
  const flags = (await readFile(`/proc/${cluster.apiServers[0]?.pid}/cmdline`, "utf8")).split("\0");
  const flag = (name: string): string => {
    const found = flags.find((argument) => argument.startsWith(`--${name}=`));
    if (found === undefined)
      throw new ClusterError("CLUSTER_UNUSABLE", `the API server runs without --${name}`);
    return found.slice(name.length + 3);
  };
  const url = flag("etcd-servers");
  const agent = new Agent({
    keepAlive: true,
    // etcd's authority and leaf bear one name, which OpenSSL takes for a self-signed certificate.
    rejectUnauthorized: false,
    cert: await readFile(flag("etcd-certfile")),
    key: await readFile(flag("etcd-keyfile")),
  });
  const call = async (path: string, body: object): Promise<unknown> => {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const outgoing = request(`${url}${path}`, { method: "POST", agent }, resolve);
    outgoing.on("error", reject).end(JSON.stringify(body));
    const answer = await promise;
    const said = await text(answer);
    if (answer.statusCode === 200) return JSON.parse(said);
    throw new ClusterError("COMMAND_FAILED", `etcd ${path}: ${answer.statusCode} ${said}`);
  };
  return {
    call,
    async held(prefix) {
      // Up to the first name after all that begin so: its last byte is one more.
      const end = Buffer.from(prefix);
      end[end.length - 1] = (end.at(-1) ?? 0) + 1;
      const asked = { key: Buffer.from(prefix).toString("base64"), range_end: end.toString("base64") };
      const { kvs = [] } = (await call("/v3/kv/range", asked)) as { kvs?: { value?: string }[] };
      const sizes = kvs.map(({ value = "" }) => Buffer.byteLength(value, "base64"));
      return { objects: kvs.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
    },
    async writeAll(count, make) {
      let next = 0;
      const work = async (): Promise<void> => {
        while (next < count) {
          const from = next;
          next = Math.min(count, from + perTransaction);
          const success = Array.from({ length: next - from }, (_, offset) => {
            const [name, value] = make(from + offset);
            const key = Buffer.from(name).toString("base64");
            return { requestPut: { key, value: value.toString("base64") } };
          });
          await call("/v3/kv/txn", { success });
        }
      };
      await Promise.all(Array.from({ length: transactionsUnderWay }, work));
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}
