import { setTimeout as delay } from "node:timers/promises";
import { type Cluster, startCluster, waitFor } from "@shieldx/e2e/cluster";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  type Client,
  ConfigMap,
  createClient,
  createManager,
  defineController,
  isConflict,
  loadCredentials,
  Namespace,
  silentLogger,
  watch,
} from "../index.ts";
import { inParallel } from "./follower.test-kit.ts";
import { seeded, seedOfRun } from "./seed.test-kit.ts";

const namespace = "one-at-a-time";
const targets = 24;
const sourcesPerTarget = 3;
const changes = 300;
const concurrency = 16;

let cluster: Cluster;
let client: Client;
beforeAll(async () => {
  cluster = await startCluster();
  client = createClient({ credentials: await loadCredentials({ kubeconfig: cluster.kubeconfig }) });
  await client.create(Namespace, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
});
afterAll(async () => {
  await client?.close();
  await cluster?.stop();
});

const map = (name: string, role: string, value: string): ConfigMap => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace, labels: { role } },
  data: { count: value },
});

/**
 * Only the controller writes targets, each time over exactly what it read: the server answers Conflict as soon as
 * two reconciles of one key overlap.
 */
it("never reconciles one key twice at once, however many ask for it, at 16 workers", async () => {
  const random = seeded(seedOfRun("one at a time"));
  const names = Array.from({ length: targets }, (_, at) => `target-${at}`);
  await inParallel(names, 8, (name) => client.create(ConfigMap, map(name, "target", "0")));
  const active = new Set<string>();
  const seen = { overlaps: 0, conflicts: 0, most: 0, done: 0, thrown: 0, timedOut: 0 };
  const manager = createManager({
    client,
    name: namespace,
    namespace,
    leaderElection: false,
    logger: silentLogger,
  });
  manager.addController(
    defineController({
      name: "count",
      for: { type: ConfigMap, namespace, labelSelector: "role=target" },
      watches: [
        watch({
          type: ConfigMap,
          namespace,
          labelSelector: "role=source",
          map: ({ metadata }) => [{ namespace, name: metadata.name.replace(/-of-.*/, "") }],
        }),
      ],
      concurrency,
      retry: { perSecond: 1_000, burst: 1_000 },
      reconcileTimeoutMs: 40,
      async reconcile(key, context) {
        if (active.has(key.name)) seen.overlaps++;
        active.add(key.name);
        seen.most = Math.max(seen.most, active.size);
        try {
          const target = await context.client.get(ConfigMap, key);
          // Longer than the time-out now and then: the key has to stay locked all the same.
          await delay(random() < 0.1 ? 60 : random() * 10);
          if (context.signal.aborted) seen.timedOut++;
          const count = String(Number(target.data?.count) + 1);
          await context.client.replace(ConfigMap, { ...target, data: { count } });
          seen.done++;
          if (random() < 0.1) {
            seen.thrown++;
            throw new Error("as it happens");
          }
          return random() < 0.1 ? { requeueAfterMs: 5 } : undefined;
        } catch (error) {
          if (isConflict(error)) seen.conflicts++;
          throw error;
        } finally {
          active.delete(key.name);
        }
      },
    }),
  );
  const ended = new AbortController();
  const running = manager.run(ended.signal);
  // A reconcile changes its own target, which asks for another: so it goes on while the sources change as well.
  const sources = Array.from({ length: changes }, (_, at) => at);
  await inParallel(sources, 12, async (at) => {
    const target = at % targets;
    const name = `target-${target}-of-${Math.floor(random() * sourcesPerTarget)}`;
    await client.apply(ConfigMap, map(name, "source", String(at)), { fieldManager: "sources" });
  });
  await waitFor("enough reconciles", async () => seen.done > 600, { timeoutMs: 60_000 });
  ended.abort(new Error("enough"));
  await running;
  const { items } = await client.list(ConfigMap, { namespace, labelSelector: "role=target" });
  const counted = items.reduce((sum, { data }) => sum + Number(data?.count), 0);
  console.log(`${changes} changes of sources; ${JSON.stringify(seen)}; counted at the server: ${counted}`);
  expect(seen).toMatchObject({ overlaps: 0, conflicts: 0 });
  expect(seen.most).toBeGreaterThan(concurrency / 2);
  expect(seen.thrown).toBeGreaterThan(0);
  expect(seen.timedOut).toBeGreaterThan(0);
  expect(counted).toBe(seen.done);
});
