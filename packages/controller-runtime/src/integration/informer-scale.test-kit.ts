import { type Cluster, startCluster } from "@shieldx/e2e/cluster";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Client,
  ConfigMap,
  createClient,
  Informer,
  type KubeObject,
  keyOf,
  loadCredentials,
  Namespace,
} from "../index.ts";
import { collector } from "./collector.test-kit.ts";
import { EventFollower, inParallel, until } from "./follower.test-kit.ts";

const namespace = "scale";
const width = 32;
const changes = 1_000;
/** Few objects are changed, so that several changes meet in one; a prime spreads them over all. */
const changed = 500;
const spread = 7_919;
/** Only so many differences are shown: a comparison of 100,000 objects as a whole would take minutes to print. */
const shown = 20;
/** An object of about 1.5 kB as the informer caches it. */
const filling = "x".repeat(1_220);

/** Runs `work` on 0 … count - 1, `width` at a time. */
function eachOf(count: number, work: (at: number) => Promise<unknown>): Promise<void> {
  const lanes = Array.from({ length: width }, (_, lane) => lane);
  return inParallel(lanes, width, async (lane) => {
    for (let at = lane; at < count; at += width) await work(at);
  });
}

const nameOf = (at: number): string => `c${at}`;
const configMap = (name: string, value: string): ConfigMap => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace, labels: { "app.kubernetes.io/part-of": "scale" } },
  data: { value, filling },
});

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
const secondsSince = (began: number): string => ((performance.now() - began) / 1000).toFixed(1);

/** What the first side holds otherwise than the second, by key; the first few. */
function differences(held: Iterable<KubeObject>, truth: readonly KubeObject[]): string[] {
  const state = (of: KubeObject): string => `${of.metadata.uid}@${of.metadata.resourceVersion}`;
  const wanted = new Map(truth.map((of) => [keyOf(of), state(of)]));
  const found: string[] = [];
  for (const object of held) {
    const key = keyOf(object);
    const right = wanted.get(key);
    if (right === undefined) found.push(`${key} is held and does not exist`);
    else if (right !== state(object)) found.push(`${key} is ${right}, held ${state(object)}`);
    wanted.delete(key);
  }
  return [...found, ...[...wanted.keys()].map((key) => `${key} exists and is not held`)].slice(0, shown);
}

interface Change {
  readonly at: number;
  readonly isRemoval: boolean;
}

/**
 * Makes the changes; any change of an object that was removed before creates it again. Tells the events they amount to,
 * by object. The changes of one object keep their order: all of them are in one lane.
 */
async function make(client: Client, planned: readonly Change[]): Promise<Map<string, string[]>> {
  const expected = new Map<string, string[]>();
  await eachOf(width, async (lane) => {
    for (const [index, { at, isRemoval }] of planned.entries()) {
      if (at % width !== lane) continue;
      const name = nameOf(at);
      const done = expected.get(name) ?? [];
      expected.set(name, done);
      if (done.at(-1) === "deleted") {
        await client.create(ConfigMap, configMap(name, `again ${index}`));
        done.push("added");
      } else if (isRemoval) {
        await client.delete(ConfigMap, { name, namespace });
        done.push("deleted");
      } else {
        const body = { data: { value: `change ${index}` } };
        await client.patch(ConfigMap, { name, namespace }, body, { type: "merge" });
        done.push("updated");
      }
    }
  });
  return expected;
}

/** The follower's log, by object. */
function deliveredTo(follower: EventFollower): Map<string, string[]> {
  const delivered = new Map<string, string[]>();
  for (const line of follower.log) {
    const [event = "", name = "", ...rest] = line.split(" ");
    delivered.set(name, [...(delivered.get(name) ?? []), [event, ...rest].join(" ")]);
  }
  return delivered;
}

/** An informer's first sync of many objects, and whether it loses anything of what happens afterwards. */
export function informerScaleSuite(count: number): void {
  describe(`an informer of ${count.toLocaleString("en")} ConfigMaps`, () => {
    let cluster: Cluster;
    let client: Client;

    beforeAll(async () => {
      cluster = await startCluster();
      client = createClient({ credentials: await loadCredentials({ kubeconfig: cluster.kubeconfig }) });
      await client.create(Namespace, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
      const began = performance.now();
      await eachOf(count, (at) => client.create(ConfigMap, configMap(nameOf(at), "0")));
      console.log(`${count} ConfigMaps created in ${secondsSince(began)} s, ${width} at a time`);
    }, 3_600_000);
    afterAll(async () => {
      await client?.close();
      await cluster?.stop();
    });

    async function truth(): Promise<ConfigMap[]> {
      const all: ConfigMap[] = [];
      for await (const page of client.pages(ConfigMap, { namespace })) all.push(...page);
      return all;
    }

    it("holds all of them, and is told of every change", async () => {
      const collect = collector();
      const heap = (): number => {
        collect?.();
        return process.memoryUsage().heapUsed;
      };
      const heapBefore = heap();
      const rssBefore = process.memoryUsage().rss;
      const controller = new AbortController();
      const informer = new Informer<ConfigMap>({ client, type: ConfigMap, namespace });
      const follower = new EventFollower();
      informer.on(follower);
      const began = performance.now();
      const stopped = informer.start(controller.signal);
      try {
        await informer.synced();
        const syncSeconds = secondsSince(began);
        const { rss } = process.memoryUsage();
        const perObject = (heap() - heapBefore) / count;
        const size = JSON.stringify(informer.store.get(`${namespace}/${nameOf(0)}`)).length;
        console.log(
          `synced ${informer.store.size} objects of ${size} bytes of JSON in ${syncSeconds} s; ` +
            `RSS ${megabytes(rssBefore)} before, ${megabytes(rss)} after; heap per object ${perObject.toFixed(0)} bytes ` +
            (collect === undefined ? "(no collection before: --expose-gc is absent)" : "after a collection"),
        );
        expect(informer.store.size).toBe(count + 1); // with kube-root-ca.crt
        expect(follower.initial).toBe(count + 1);

        const seed = Date.now() % 2 ** 31;
        const at = fc.nat(changed - 1).map((pick) => (pick * spread) % count);
        const change = fc.record({ at, isRemoval: fc.boolean() });
        const planned = fc.sample(change, { numRuns: changes, seed });
        const expected = await make(client, planned);
        const last = await client.create(ConfigMap, configMap("zz-last", ""));
        await until("the last write", () => {
          const held = informer.store.get(keyOf(last));
          return held?.metadata.resourceVersion === last.metadata.resourceVersion;
        });
        expected.set("zz-last", ["added"]);
        const made = [...expected.values()].flat();
        const counted = (event: string): number => made.filter((each) => each === event).length;
        console.log(
          `${planned.length} changes of ${expected.size - 1} objects (seed ${seed}): ${counted("updated")} updates, ` +
            `${counted("deleted")} deletes, ${counted("added") - 1} re-creates`,
        );
        expect(made).toHaveLength(changes + 1);
        expect(deliveredTo(follower)).toEqual(expected);
        const all = await truth();
        expect(follower.wrong.slice(0, shown)).toEqual([]);
        expect(differences(informer.store.list(), all)).toEqual([]);
        expect(differences(follower.held.values(), all)).toEqual([]);
        expect(informer.store.size).toBe(all.length);
      } finally {
        controller.abort();
        await stopped;
      }
    });
  });
}
