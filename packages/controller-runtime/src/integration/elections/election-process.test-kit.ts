/**
 * Test tooling: one process with a manager that stands for election and, as the leader, patches its ConfigMaps as
 * fast as its few connections carry, so that requests are always queued. Started by `ElectionProcess`.
 */
import {
  type Client,
  ConfigMap,
  createClient,
  createJsonLogger,
  createManager,
  defineController,
  type LeaseTiming,
  loadCredentials,
  processSignal,
} from "../../index.ts";

export interface ElectionProcessOptions {
  /** Name of the Lease, and the label value of the ConfigMaps. */
  readonly lease: string;
  readonly namespace: string;
  /** Also the user agent of every write. */
  readonly identity: string;
  readonly timing?: Partial<LeaseTiming>;
  readonly maxConnections: number;
  /** Between two writes of one ConfigMap; 0 for as fast as it goes. */
  readonly pauseMs: number;
}

/** What it tells its parent. */
export type ElectionNews = "ready" | "leading" | "woke" | "lost" | "ended";

/** Its own account of when it stood still and began its last writes, wall-clock ms: explains a late one, excuses none. */
export interface ElectionAccount {
  readonly stoodStill: readonly [from: number, to: number] | undefined;
  readonly begun: readonly number[];
}

const options = JSON.parse(process.argv[2] ?? "{}") as ElectionProcessOptions;
const { lease, namespace, identity, timing, maxConnections, pauseMs } = options;
const tell = (news: ElectionNews): void => void process.send?.(news);

const client = createClient({ credentials: await loadCredentials(), userAgent: identity, maxConnections });
let stoodStill: ElectionAccount["stoodStill"];
const begun: number[] = [];
const patch: Client["patch"] = (type, key, body, options) =>
  client.patch(type, key, body, {
    ...options,
    beforeSend: () => {
      options.beforeSend?.();
      if (begun.push(Date.now()) > 4) begun.shift();
    },
  });
const noting = new Proxy(client, {
  get(target, property) {
    if (property === "patch") return patch;
    const value: unknown = Reflect.get(target, property, target);
    return typeof value === "function" ? value.bind(target) : value;
  },
});
const manager = createManager({
  client: noting,
  name: lease,
  namespace,
  identity,
  logger: createJsonLogger(process.stderr),
  leaderElection: timing === undefined ? true : { timing },
});
const labelSelector = `lease=${lease}`;
manager.addController(
  defineController({
    name: "beat",
    for: { type: ConfigMap, namespace, labelSelector },
    concurrency: 32,
    retry: { perSecond: 1_000, burst: 1_000 },
    async reconcile(key, { client: guarded }) {
      await guarded.patch(
        ConfigMap,
        key,
        { data: { by: identity, at: String(Date.now()) } },
        { type: "merge" },
      );
      return { requeueAfterMs: pauseMs };
    },
  }),
);
manager.addRunnable({
  name: "news",
  needsLeadership: true,
  start: (signal) => {
    tell("leading");
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  },
});
void manager
  .informer(ConfigMap, { namespace, labelSelector })
  .synced()
  .then(() => tell("ready"));

process.on("message", ({ stallMs }: { stallMs: number }) => {
  const from = Date.now();
  // A stalled event loop: nothing runs, timers included.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, stallMs);
  stoodStill = [from, Date.now()];
  tell("woke");
});

try {
  await manager.run(processSignal());
  tell("ended");
} catch (error) {
  if ((error as { code?: string }).code !== "LEADERSHIP_LOST") throw error;
  process.send?.({ stoodStill, begun } satisfies ElectionAccount);
  tell("lost");
  process.exitCode = 1;
} finally {
  await client.close();
  process.disconnect();
}
