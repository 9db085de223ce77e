import { type Cluster, startCluster } from "@shieldx/e2e/cluster";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Client,
  ConfigMap,
  createClient,
  Informer,
  type InformerOptions,
  isGone,
  keyOf,
  loadCredentials,
  Namespace,
} from "../index.ts";
import { cuttingProxy } from "./cutting-proxy.test-kit.ts";
import { compactEtcd } from "./etcd.test-kit.ts";
import { EventFollower, inParallel, until } from "./follower.test-kit.ts";

let cluster: Cluster;
let client: Client;
let namespaces = 0;

beforeAll(async () => {
  // Newer servers answer a continued list from snapshots in memory for a while after etcd has forgotten its version.
  cluster = await startCluster({ apiServerArgs: ["--feature-gates=ListFromCacheSnapshot=false"] });
  client = createClient({ credentials: await loadCredentials({ kubeconfig: cluster.kubeconfig }) });
});
afterAll(async () => {
  await client?.close();
  await cluster?.stop();
});

async function newNamespace(): Promise<string> {
  const name = `informer-${++namespaces}`;
  await client.create(Namespace, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  return name;
}
const write = (namespace: string, name: string, value: string) =>
  client.apply(
    ConfigMap,
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name, namespace, labels: { of: name.slice(0, 1) } },
      data: { value },
    },
    { fieldManager: "test" },
  );
const remove = (namespace: string, name: string) => client.delete(ConfigMap, { name, namespace });
const truth = async (namespace: string) => {
  const all = [];
  for await (const page of client.pages(ConfigMap, { namespace })) all.push(...page);
  return all;
};

/** An informer running until disposed, with its follower. */
async function informing(options: Partial<InformerOptions<ConfigMap>> & { namespace: string }) {
  const controller = new AbortController();
  const informer = new Informer<ConfigMap>({ client, type: ConfigMap, ...options });
  const follower = new EventFollower();
  informer.on(follower);
  const stopped = informer.start(controller.signal);
  await informer.synced();
  return {
    informer,
    follower,
    async [Symbol.asyncDispose]() {
      controller.abort();
      await stopped;
    },
  };
}

/** Writes a last object and waits until the informer has it: all events before it have then been delivered. */
async function caughtUp(namespace: string, informer: Informer<ConfigMap>): Promise<void> {
  const last = await write(namespace, "zz-last", `${Math.random()}`);
  await until(
    "the last write",
    () =>
      informer.store.get(`${namespace}/zz-last`)?.metadata.resourceVersion === last.metadata.resourceVersion,
  );
}

describe("Informer on a real API server", () => {
  it("lists 2,000 objects in pages and follows 1,500 changes without losing or inventing one", async () => {
    const namespace = await newNamespace();
    await inParallel(
      Array.from({ length: 2_000 }, (_, at) => at),
      16,
      (at) => write(namespace, `c${at}`, "0"),
    );
    await using running = await informing({
      namespace,
      indexers: { label: (of) => [of.metadata.labels?.of ?? ""] },
    });
    expect(running.informer.store.size).toBe(2_001); // with kube-root-ca.crt
    expect(running.follower.initial).toBe(2_001);
    await inParallel(
      Array.from({ length: 1_500 }, (_, at) => at),
      16,
      async (at) => {
        const name = `c${(at * 7919) % 2_000}`;
        if (at % 5 !== 0) return write(namespace, name, String(at));
        await remove(namespace, name).catch(() => undefined); // another worker may have been first
        return at % 10 === 0 ? write(namespace, name, "again") : undefined;
      },
    );
    await caughtUp(namespace, running.informer);
    running.follower.expectHolds(await truth(namespace));
    expect(running.informer.store.byIndex("label", "z").map(keyOf)).toEqual([`${namespace}/zz-last`]);
  });

  it("hands out objects nobody can change, without other managers' managedFields", async () => {
    const namespace = await newNamespace();
    await write(namespace, "a", "1");
    await client.patch(
      ConfigMap,
      { name: "a", namespace },
      { data: { more: "2" } },
      { type: "merge", fieldManager: "other" },
    );
    await using running = await informing({ namespace, keepManagedFieldsOf: "test" });
    const object = running.informer.store.get(`${namespace}/a`)!;
    expect(() => Object.assign(object.data!, { value: "2" })).toThrow(TypeError);
    expect(() => Object.assign(object.metadata.labels!, { a: "b" })).toThrow(TypeError);
    expect(object.metadata.managedFields?.map((entry) => entry.manager)).toEqual(["test"]);
    await using bare = await informing({ namespace, metadataOnly: true });
    const metadata = bare.informer.store.get(`${namespace}/a`)!;
    expect(Object.keys(metadata).sort()).toEqual(["apiVersion", "kind", "metadata"]);
    expect(metadata).toMatchObject({ apiVersion: "v1", kind: "ConfigMap" });
    expect(metadata.metadata.managedFields).toBeUndefined();
    await write(namespace, "a", "2");
    await caughtUp(namespace, bare.informer);
    expect(Object.keys(bare.informer.store.get(`${namespace}/a`)!).sort()).toEqual([
      "apiVersion",
      "kind",
      "metadata",
    ]);
  });

  it("survives cuts of its watch: each change arrives once, a delete and re-create as both", async () => {
    const namespace = await newNamespace();
    for (const name of ["a", "b", "c"]) await write(namespace, name, "0");
    await using proxy = await cuttingProxy(cluster.apiServers[0]!.url);
    await using running = await informing({ namespace, client: client.withServer(proxy.url) });
    proxy.mode = "refuse";
    proxy.cut();
    await remove(namespace, "a");
    await write(namespace, "a", "1");
    await remove(namespace, "b");
    await write(namespace, "c", "1");
    await until("a refused attempt", () => proxy.accepted > 2);
    expect(running.follower.log).toEqual([]);
    proxy.mode = "open";
    await caughtUp(namespace, running.informer);
    expect(running.follower.log).toEqual(["deleted a", "added a", "deleted b", "updated c", "added zz-last"]);
    for (let round = 0; round < 30; round++) {
      proxy.cut();
      await write(namespace, "c", `cut ${round}`);
    }
    await caughtUp(namespace, running.informer);
    running.follower.expectHolds(await truth(namespace));
    expect(running.follower.log.filter((line) => line === "updated c")).toHaveLength(31);
  });

  it("finds out about a half-open connection", async () => {
    const namespace = await newNamespace();
    await using proxy = await cuttingProxy(cluster.apiServers[0]!.url);
    await using running = await informing({
      namespace,
      client: client.withServer(proxy.url),
      settings: { watchSeconds: { shortest: 2, longest: 2 }, endMarginMs: 1_000 },
    });
    proxy.mode = "stall";
    await write(namespace, "a", "1");
    await until("another attempt", () => proxy.accepted > 2, 20_000);
    expect(running.informer.store.has(`${namespace}/a`)).toBe(false);
    proxy.cut(); // the attempts made meanwhile are stalled for good as well
    proxy.mode = "open";
    await until("the object", () => running.informer.store.has(`${namespace}/a`));
    expect(running.follower.wrong).toEqual([]);
  });

  it("lists again after etcd was compacted and the server restarted, and delivers what was deleted meanwhile", async () => {
    const namespace = await newNamespace();
    for (const name of ["a", "b", "c"]) await write(namespace, name, "0");
    const failures: string[] = [];
    await using proxy = await cuttingProxy(cluster.apiServers[0]!.url);
    await using running = await informing({
      namespace,
      client: client.withServer(proxy.url),
      metrics: {
        cached: () => {},
        watched: () => {},
        listed: () => {},
        handlerFailed: () => {},
        failed: (_resource, verb, kind) => failures.push(`${verb} ${kind}`),
      },
    });
    proxy.mode = "refuse";
    proxy.cut();
    await remove(namespace, "a");
    await remove(namespace, "b");
    await write(namespace, "b", "new");
    for (let at = 0; at < 20; at++) await write(namespace, "c", String(at));
    await compactEtcd(cluster);
    await cluster.apiServers[0]!.kill();
    await cluster.apiServers[0]!.start();
    proxy.mode = "open";
    await caughtUp(namespace, running.informer);
    running.follower.expectHolds(await truth(namespace));
    expect(running.follower.log).toContain("deleted a (found missing)");
    expect(running.follower.log.indexOf("deleted b (found missing)")).toBe(
      running.follower.log.indexOf("added b") - 1,
    );
    expect(failures.join()).toMatch(/watch expired|watch unavailable/);
  });

  it("starts over when the list expires between two pages", async () => {
    const namespace = await newNamespace();
    for (let at = 0; at < 9; at++) await write(namespace, `c${at}`, "0");
    let pages = 0;
    const expiring: Client = Object.create(client, {
      list: {
        value: async (...args: Parameters<Client["list"]>) => {
          if (++pages === 2) {
            await remove(namespace, "c0");
            await compactEtcd(cluster);
          }
          return client.list(...args).catch((error: unknown) => {
            expect(isGone(error)).toBe(true);
            throw error;
          });
        },
      },
      watchBatches: { value: client.watchBatches.bind(client) },
    }) as Client;
    await using running = await informing({ namespace, client: expiring, settings: { pageSize: 3 } });
    expect(pages).toBe(3);
    await caughtUp(namespace, running.informer);
    running.follower.expectHolds(await truth(namespace));
    expect(running.follower.held.has(`${namespace}/c0`)).toBe(false);
  });
});
