/** The API server everybody is measured against, with the objects in it. */
import {
  type Client,
  ConfigMap,
  createClient,
  type KubeObject,
  loadCredentials,
  Namespace,
  resourceType,
} from "@shieldx/controller-runtime";
import { type Cluster, startCluster, waitFor } from "@shieldx/e2e/cluster";
import { addWidgets } from "./etcd.ts";
import { definition, group, namespaceOf, type Widget, widget } from "./widget.ts";

export const WidgetType = resourceType<Widget>({
  group,
  version: "v1",
  kind: "Widget",
  plural: "widgets",
  namespaced: true,
});
const CustomResourceDefinition = resourceType<KubeObject & { spec: unknown }>({
  group: "apiextensions.k8s.io",
  version: "v1",
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
  namespaced: false,
});

/** What all caches must hold. */
export interface Truth {
  readonly count: number;
  /** Of all objects; see bench/peers/README.md. */
  readonly sum: number;
  readonly averageBytes: number;
}

export class BenchServer implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly client: Client;
  #held = 0;

  private constructor(cluster: Cluster, client: Client) {
    this.cluster = cluster;
    this.client = client;
  }

  static async start(): Promise<BenchServer> {
    const cluster = await startCluster({ name: `bench-${process.pid}` });
    const client = createClient({ credentials: await loadCredentials({ kubeconfig: cluster.kubeconfig }) });
    const server = new BenchServer(cluster, client);
    const names = ["bench", ...Array.from({ length: 10 }, (_, at) => namespaceOf(at))];
    for (const name of names) {
      await client.create(Namespace, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
    }
    for (const kind of ["Widget", "Gadget"]) await client.create(CustomResourceDefinition, definition(kind));
    await client.create(ConfigMap, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "small", namespace: "bench" },
      data: { colour: "blue" },
    });
    await waitFor("serving widgets and gadgets", () => server.#servesKinds(), { timeoutMs: 60_000 });
    return server;
  }

  async #servesKinds(): Promise<boolean> {
    await this.client.list(WidgetType, { limit: 1 });
    await this.client.request("GET", `/apis/${group}/v1/gadgets`);
    return true;
  }

  /** Adds widgets until there are `count`, and reads all of them back. */
  async fill(count: number): Promise<Truth> {
    if (this.#held === 0) {
      await this.client.create(WidgetType, widget(0));
      this.#held = 1;
    }
    if (count > this.#held) {
      const first = widget(0).metadata;
      const model = await this.client.get(WidgetType, { name: first.name, namespace: namespaceOf(0) });
      await addWidgets(this.cluster, model, this.#held, count);
      this.#held = count;
    }
    return waitFor(`the API server's cache of ${count} widgets`, () => this.#truth(count), {
      timeoutMs: 120_000,
    });
  }

  async #truth(count: number): Promise<Truth | undefined> {
    let seen = 0;
    let sum = 0;
    let bytes = 0;
    for await (const page of this.client.pages(WidgetType, { limit: 2_000 })) {
      for (const object of page) {
        sum = (sum + fingerprint(`${object.metadata.uid} ${object.metadata.resourceVersion}`)) >>> 0;
        if (seen < 100) bytes += Buffer.byteLength(JSON.stringify(object));
        seen++;
      }
    }
    return seen === count ? { count, sum, averageBytes: bytes / Math.min(seen, 100) } : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    await this.cluster.stop();
  }
}

/** FNV-1a with 32 bits, as the contestants compute it. */
function fingerprint(text: string): number {
  let hash = 2_166_136_261;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 16_777_619);
  return hash >>> 0;
}
