import { createReadStream } from "node:fs";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Cluster, openEtcd, startCluster, waitFor } from "@shieldx/e2e/cluster";
import { describe, expect, it } from "vitest";
import { type Client, createClient, loadCredentials, Namespace } from "../../index.ts";
import { readAuditLog } from "../audit-log.test-kit.ts";
import { compact } from "../etcd.test-kit.ts";
import { seedOfRun } from "../seed.test-kit.ts";
import { Churn } from "./churn.test-kit.ts";
import type { Delivery, Lane } from "./delivery.test-kit.ts";
import { FaultProxy } from "./fault-proxy.test-kit.ts";
import { proxyFaults, restart } from "./fault-schedule.test-kit.ts";
import type { Answers } from "./informers-process.test-kit.ts";
import { InformersProcess } from "./informers-process-client.test-kit.ts";
import { LaneJudge } from "./judge.test-kit.ts";
import { ServerHistory } from "./server-history.test-kit.ts";

export interface ChaosSize {
  /** Informers, each with a namespace of its own; half of them of a type the servers keep no watch cache for. */
  readonly lanes: number;
  /** Faults of all kinds together. */
  readonly faults: number;
  /** Of each kind the proxy makes. */
  readonly each: number;
  readonly restarts: number;
  readonly meanPauseMs: number;
  /** How long it may take to have had enough of each. */
  readonly timeoutMs: number;
}

const samples = 10;
const shown = 15;

/** Faults between informers and two real API servers, judged by what the servers wrote into their audit log. */
export function chaosSuite(size: ChaosSize): void {
  describe(`informers under ${size.faults.toLocaleString("en")} faults`, () => {
    it("lose nothing, invent nothing, and do not grow", async () => {
      const seed = seedOfRun("watch chaos");
      const folder = await mkdtemp(join(tmpdir(), `chaos-${seed}-`));
      const lanes = Array.from(
        { length: size.lanes },
        (_, at): Lane => ({ namespace: `chaos-${at}`, kind: at % 2 === 0 ? "configmaps" : "secrets" }),
      );
      await using cluster = await startCluster({
        apiServers: 2,
        audit: { rules: auditRules },
        // Secrets come from etcd itself, where a compacted version is gone at once.
        apiServerArgs: ["--watch-cache-sizes=secrets#0"],
      });
      const run = await prepare(cluster, lanes, seed, size.meanPauseMs);
      const out = join(folder, "delivered.jsonl");
      await using proxy = await FaultProxy.start({
        cluster,
        lanes,
        seed,
        compact: (lane) => run.compact(lane),
      });
      const kubeconfig = await cluster.serviceAccountKubeconfig("default", "chaos", {
        expirationSeconds: 14_400,
      });
      await using informers = new InformersProcess(kubeconfig, { server: proxy.url, lanes, seed, out });

      const memory = await disturb(size, cluster, proxy, informers);
      await run.churn.stop();
      proxy.isCalm = true;
      const truth = await Promise.all(lanes.map((lane) => run.states(lane)));
      const held = await settle(informers, truth);
      await informers.ask("end");
      const counts = ([restart, ...proxyFaults] as const).map(
        (kind) => `${kind} ${proxy.counts.get(kind) ?? 0}`,
      );
      console.log(`${proxy.total} faults: ${counts.join(", ")}`);

      const verdict = await judge(cluster.auditLog ?? "", out, lanes, run.churn);
      console.log(memoryLine(memory));
      if ([verdict.lost, verdict.invented, verdict.disordered].some((found) => found.length > 0)) {
        await copyFile(cluster.auditLog ?? "", join(folder, "audit.log"));
        console.log(`what was delivered, and the audit log: ${folder}`);
      }
      expect(held, "what the informers hold in the end").toEqual(truth);
      expect(verdict.lost.slice(0, shown)).toEqual([]);
      expect(verdict.invented.slice(0, shown)).toEqual([]);
      expect(verdict.disordered.slice(0, shown)).toEqual([]);
      const [before = 0, after = 0] = halves(memory).map(median);
      // Room for what a collector leaves: growth with the number of faults would be many times this.
      expect(after).toBeLessThan(before * 1.15 + 2 * 2 ** 20);
      await run.close();
      await rm(folder, { recursive: true });
    });
  });
}

/** Every write with what it made; received ones too, as a killed server answers and logs no more. */
const auditRules = [
  {
    level: "RequestResponse",
    verbs: ["create", "update", "patch", "delete"],
    resources: [{ group: "", resources: ["configmaps", "secrets"] }],
    omitManagedFields: true,
  },
  { level: "None" },
];

interface Run {
  readonly churn: Churn;
  compact(lane: number): Promise<void>;
  /** Name to `uid@resourceVersion`, as the servers have it. */
  states(lane: Lane): Promise<Record<string, string>>;
  close(): Promise<void>;
}

async function prepare(
  cluster: Cluster,
  lanes: readonly Lane[],
  seed: number,
  pauseMs: number,
): Promise<Run> {
  await cluster.kubectl(["create", "serviceaccount", "chaos", "-n", "default"]);
  await cluster.kubectl([
    "create",
    "clusterrolebinding",
    "chaos",
    "--clusterrole=cluster-admin",
    "--serviceaccount=default:chaos",
  ]);
  const client: Client = createClient({
    credentials: await loadCredentials({ kubeconfig: cluster.kubeconfig }),
  });
  for (const { namespace: name } of lanes) {
    await client.create(Namespace, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  }
  const etcd = await openEtcd(cluster);
  const churn = new Churn(cluster, client, lanes, seed, pauseMs);
  return {
    churn,
    compact: async (lane) => {
      // Something has to have happened since, or nothing is forgotten that the informer needs.
      const target = (churn.writes[lane] ?? 0) + 2;
      const isWritten = async (): Promise<boolean> => (churn.writes[lane] ?? 0) >= target;
      await waitFor("two writes", isWritten, { timeoutMs: 60_000, intervalMs: 10 });
      await compact(etcd);
    },
    states: async (lane) => {
      const objects = await churn.list(lane);
      return Object.fromEntries(
        objects.map(({ metadata }) => [metadata.name, `${metadata.uid}@${metadata.resourceVersion}`]),
      );
    },
    close: async () => {
      etcd[Symbol.dispose]();
      await client.close();
    },
  };
}

/** Faults until there were enough of each; one server after the other is killed and started again meanwhile. */
async function disturb(
  size: ChaosSize,
  cluster: Cluster,
  proxy: FaultProxy,
  informers: InformersProcess,
): Promise<Answers["memory"][]> {
  const began = performance.now();
  const restarting = restartServers(size.restarts, cluster, proxy);
  const memory: Answers["memory"][] = [];
  let saidAt = began;
  const progress = (): number =>
    Math.min(
      proxy.total / size.faults,
      (proxy.counts.get(restart) ?? 0) / size.restarts,
      ...proxyFaults.map((kind) => (proxy.counts.get(kind) ?? 0) / size.each),
    );
  const isEnough = async (): Promise<boolean> => {
    if (performance.now() - saidAt > 60_000) {
      saidAt = performance.now();
      console.log(
        `${((saidAt - began) / 1000).toFixed(0)} s: ${proxy.total} faults, ${(progress() * 100).toFixed(0)} %`,
      );
    }
    while (memory.length < Math.min(1, progress()) * samples) memory.push(await informers.ask("memory"));
    return progress() >= 1;
  };
  let failure: Error | undefined;
  restarting.catch((error: Error) => {
    failure = error;
  });
  const giveUp = (): void => {
    if (failure !== undefined) throw failure;
    informers.throwIfEnded();
  };
  await waitFor("enough faults", isEnough, { timeoutMs: size.timeoutMs, intervalMs: 100, giveUp });
  await restarting;
  console.log(`disturbed for ${((performance.now() - began) / 1000).toFixed(0)} s`);
  return memory;
}

async function restartServers(times: number, { apiServers }: Cluster, proxy: FaultProxy): Promise<void> {
  for (let at = 0; at < times; at++) {
    const server = apiServers[at % apiServers.length];
    await server?.kill();
    await server?.start();
    proxy.count(restart);
  }
}

/** Waits until the informers hold what the servers have; returns what they hold, also when it never comes to that. */
async function settle(
  informers: InformersProcess,
  truth: readonly Record<string, string>[],
): Promise<Answers["held"]> {
  const wanted = JSON.stringify(truth.map(sorted));
  let held: Answers["held"] = [];
  const isSettled = async (): Promise<boolean> => {
    held = await informers.ask("held");
    return JSON.stringify(held.map(sorted)) === wanted;
  };
  await waitFor("the informers to hold what the servers have", isSettled, { timeoutMs: 90_000 }).catch(
    (error: unknown) => console.log(String(error)),
  );
  return held;
}

const sorted = (states: Record<string, string>): [string, string][] => Object.entries(states).sort();

async function judge(auditLog: string, out: string, lanes: readonly Lane[], churn: Churn) {
  const history = new ServerHistory();
  for await (const event of readAuditLog(auditLog)) history.take(event);
  history.close();
  const judges = lanes.map((lane) => new LaneJudge(lane, history, churn.intents));
  for await (const line of createInterface({ input: createReadStream(out) })) {
    const delivery = JSON.parse(line) as Delivery;
    judges[delivery.lane]?.take(delivery);
  }
  for (const each of judges) each.close();
  const verdicts = judges.map(({ verdict }) => verdict);
  const sum = (of: (verdict: (typeof verdicts)[number]) => number): number =>
    verdicts.reduce((total, verdict) => total + of(verdict), 0);
  console.log(
    `${history.answered} writes in the audit log (${history.unanswered} received and not answered), ` +
      `${sum(({ delivered }) => delivered)} events delivered, ${sum(({ lists }) => lists)} lists`,
  );
  return {
    lost: verdicts.flatMap(({ lost }) => lost),
    invented: verdicts.flatMap(({ invented }) => invented),
    disordered: verdicts.flatMap(({ disordered }) => disordered),
  };
}

/** Heap at the samples of the first and the second half; the very first is warm-up. */
function halves(memory: readonly Answers["memory"][]): [number[], number[]] {
  const heaps = memory.map(({ heapBytes }) => heapBytes);
  return [heaps.slice(1, samples / 2), heaps.slice(samples / 2)];
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function memoryLine(memory: readonly Answers["memory"][]): string {
  const list = (of: (sample: Answers["memory"]) => number): string => memory.map(of).join(" ");
  const kib = (bytes: number): number => Math.round(bytes / 1024);
  return (
    `heap after collection, KiB: ${list(({ heapBytes }) => kib(heapBytes))}; ` +
    `RSS, MiB: ${list(({ rssBytes }) => Math.round(rssBytes / 2 ** 20))}; ` +
    `handles: ${list(({ resources }) => resources)}`
  );
}
