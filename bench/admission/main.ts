/** `make bench-admission`: what judging a Pod costs, by ShieldX and by its peers, in one run on one API server. See README.md. */
import { setTimeout as delay } from "node:timers/promises";
import { startCluster } from "../../e2e/cluster/index.ts";
import { percentiles } from "../../e2e/shieldx/admission-load.ts";
import { type Contestant, type Field, namespaceOf, setUp } from "./contestants.ts";
import { Lanes, targetOf } from "./load.ts";
import { typicalPod } from "./pods.ts";
import { cpuMs, residentMiB } from "./process-usage.ts";
import { compareVerdicts } from "./verdicts.ts";

const env = process.env;
const runs = Number(env.RUNS ?? 5);
const seconds = Number(env.SECONDS_EACH ?? 4);
const inFlight = 8;
const openRate = 50;

interface Measured {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly openP50Ms: number;
  readonly openP99Ms: number;
  /** CPU of the API server and the webhook per request, milliseconds, under the closed loop. */
  readonly apiServerCpuMs: number;
  readonly webhookCpuMs: number;
  readonly residentMiB: number;
}

async function measure(lanes: Lanes, field: Field, contestant: Contestant, server: number): Promise<Measured> {
  const pod = Buffer.from(JSON.stringify(typicalPod("measured")));
  const namespace = namespaceOf(contestant);
  const webhook = field.webhookPid(contestant);
  const usage = async () => [await cpuMs(server), webhook === undefined ? 0 : await cpuMs(webhook)] as const;
  await lanes.closedLoop(namespace, pod, 300);
  const [serverBefore, webhookBefore] = await usage();
  const closed = await lanes.closedLoop(namespace, pod, seconds * 1000);
  const [serverAfter, webhookAfter] = await usage();
  const resident = webhook === undefined ? 0 : await residentMiB(webhook);
  const open = await lanes.openLoop(namespace, pod, openRate, seconds * 1000);
  const took = percentiles(closed.tookMs);
  const openTook = percentiles(open.tookMs);
  return {
    perSecond: closed.requests / closed.seconds,
    p50Ms: took.p50,
    p99Ms: took.p99,
    openP50Ms: openTook.p50,
    openP99Ms: openTook.p99,
    apiServerCpuMs: (serverAfter - serverBefore) / closed.requests,
    webhookCpuMs: (webhookAfter - webhookBefore) / closed.requests,
    residentMiB: resident,
  };
}

const median = (values: readonly number[]): number => percentiles(values).p50;

async function main(): Promise<void> {
  const cluster = await startCluster({ name: "bench-admission" });
  try {
    const server = cluster.apiServers[0]?.pid;
    if (server === undefined) throw new Error("the API server does not run");
    const field = await setUp(cluster, {
      withGatekeeper: env.GATEKEEPER !== "0",
      nodeFlags: (env.NODE_FLAGS ?? "").split(" ").filter((flag) => flag !== ""),
    });
    const lanes = new Lanes(targetOf(cluster.kubeconfig), inFlight);
    const verdicts = await compareVerdicts(lanes, field.present, 37);
    console.error(`verdicts equal on ${verdicts.judged} Pods, ${verdicts.refused} of them refused`);
    const all = new Map<Contestant, Measured[]>(field.present.map((name) => [name, []]));
    const only = env.ONLY?.split(",");
    for (let run = 0; run < runs; run++) {
      for (let i = 0; i < field.present.length; i++) {
        const contestant = field.present[(i + run) % field.present.length] as Contestant;
        if (only !== undefined && !only.includes(contestant)) continue;
        const measured = await measure(lanes, field, contestant, server);
        all.get(contestant)?.push(measured);
        console.error(
          `run ${run} ${contestant.padEnd(14)} ${Object.entries(measured)
            .map(([key, value]) => `${key} ${value.toFixed(2)}`)
            .join("  ")}`,
        );
      }
    }
    for (const [contestant, values] of all) {
      if (values.length === 0) continue;
      const keys = Object.keys(values[0] as Measured) as (keyof Measured)[];
      console.log(
        JSON.stringify({
          contestant,
          ...Object.fromEntries(
            keys.map((key) => [key, Number(median(values.map((v) => v[key])).toFixed(3))]),
          ),
        }),
      );
    }
    if (env.STARTS !== "0") await starts(field);
    await lanes.close();
    await field.stop();
  } finally {
    await cluster.stop();
  }
}

async function starts(field: Field): Promise<void> {
  const ready: Record<string, number[]> = { shieldx: [], gatekeeper: [] };
  const idle: Record<string, number[]> = { shieldx: [], gatekeeper: [] };
  for (let run = 0; run < runs; run++) {
    const ours = await field.restartShieldx();
    ready.shieldx?.push(ours.readyMs ?? Number.NaN);
    const theirs = await field.restartGatekeeper();
    if (theirs !== undefined) ready.gatekeeper?.push(theirs.readyMs);
    await delay(2_000);
    idle.shieldx?.push(await residentMiB(ours.pid));
    if (theirs !== undefined) idle.gatekeeper?.push(await residentMiB(theirs.pid));
  }
  console.log(JSON.stringify({ ready, idle }));
}

await main();
