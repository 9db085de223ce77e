// ShieldX on the host: the chart's manifests and roles in the cluster, the same
// processes beside it, each with a token of its own ServiceAccount.
import { once } from "node:events";
import { createServer } from "node:net";
import type { Cluster } from "../cluster/index.ts";
import { renderChart } from "./chart.ts";
import { waitFor } from "./wait.ts";

const sources = new URL("../../images/shieldx/main.ts", import.meta.url).pathname;
const namespace = "shieldx-system";

export interface ShieldxProcess {
  readonly name: string;
  readonly pid: number;
  /** By the monotonic clock, in milliseconds. */
  readonly startedAt: number;
  readonly healthUrl: string;
  readonly metricsUrl: string;
  readonly logFile: string;
  /** SIGTERM, then the exit code (null when a signal ended it). */
  stop(): Promise<number | null>;
  kill(): Promise<void>;
  readonly exited: Promise<number | null>;
  /** From its start until it said it was ready, in milliseconds; undefined before. */
  readyMs?: number;
}

export interface ShieldxOnHost extends AsyncDisposable {
  readonly operators: ShieldxProcess[];
  readonly webhooks: ShieldxProcess[];
  readonly webhookUrl: string;
  startOperator(): Promise<ShieldxProcess>;
  startWebhooks(): Promise<ShieldxProcess>;
  stop(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no free port on loopback");
  return address.port;
}

async function isOk(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2000) })).ok;
  } catch {
    // Not listening yet.
    return false;
  }
}

interface Launch {
  readonly cluster: Cluster;
  readonly entry: string;
  readonly name: string;
  readonly args: readonly string[];
  readonly health: number;
  readonly metrics: number;
  readonly env: Readonly<Record<string, string>>;
}

/** Through the cluster's watchdog, so that a test which dies leaves no process of ours either. */
async function launch({ cluster, entry, name, args, health, metrics, env }: Launch): Promise<ShieldxProcess> {
  const command = { name, command: process.execPath, args: [entry, ...args], env };
  const startedAt = performance.now();
  const running = await cluster.processes.start(command);
  const exited = running.exited.then(({ code }) => code);
  return {
    name,
    pid: running.pid,
    startedAt,
    healthUrl: `http://127.0.0.1:${health}`,
    metricsUrl: `https://127.0.0.1:${metrics}/metrics`,
    logFile: running.logFile,
    exited,
    stop: async () => (await running.stop({ graceMs: 45_000 })).code,
    kill: async () => void (await running.stop({ signal: "SIGKILL" })),
  };
}

/** Fails at once, naming the log, when a process ends before it is ready. */
async function untilReady(started: ShieldxProcess): Promise<void> {
  const ended = started.exited.then((code) => {
    throw new Error(`${started.name} ended with code ${code} before it was ready: see ${started.logFile}`);
  });
  await Promise.race([
    waitFor(`${started.name} ready`, () => isOk(`${started.healthUrl}/readyz`), {
      timeoutMs: 60_000,
      everyMs: 10,
    }),
    ended,
  ]);
  started.readyMs = performance.now() - started.startedAt;
  ended.catch(() => undefined);
}

export interface HostOptions {
  readonly operators?: number;
  readonly webhooks?: number;
  /** How long a stopping webhook keeps serving. Short by default: no load balancer stands before it here. */
  readonly shutdownDelay?: string;
  /** How long the processes' tokens last; in a cluster the kubelet would renew them. Default 3,600. */
  readonly tokenSeconds?: number;
  readonly chartValues?: Readonly<Record<string, string>>;
  /** Puts the chart's manifests into the cluster; default: `kubectl apply --server-side`. */
  readonly install?: (manifests: string, values: Readonly<Record<string, string>>) => Promise<void>;
  /** For the processes. */
  readonly env?: Readonly<Record<string, string>>;
  /** Further flags for operators and webhooks alike. */
  readonly args?: readonly string[];
  /** Further flags for operators. */
  readonly operatorArgs?: readonly string[];
  /** Further flags for webhooks. */
  readonly webhookArgs?: readonly string[];
  /** What Node runs, e.g. the image's bundle; by default the sources. */
  readonly entry?: string;
  /** For the webhooks besides, e.g. what the chart gives them. */
  readonly webhookEnv?: Readonly<Record<string, string>>;
}

async function applyManifests(cluster: Cluster, manifests: string): Promise<void> {
  const applied = await cluster.kubectl(["apply", "--server-side", "-f", "-"], { input: manifests });
  if (applied.code !== 0) throw new Error(`the chart's manifests were refused: ${applied.stderr}`);
}

/** Installs the chart and starts the processes. Host webhooks share one URL, so one replica serves. */
export async function startShieldxOnHost(
  cluster: Cluster,
  options: HostOptions = {},
): Promise<ShieldxOnHost> {
  const [https, probe] = [await freePort(), await freePort()];
  const webhookUrl = `https://127.0.0.1:${https}`;
  const probeUrl = `https://127.0.0.1:${probe}`;
  const values = {
    "namespace.create": "true",
    "operator.enabled": "false",
    "webhooks.enabled": "false",
    "uninstall.hook": "false",
    "webhooks.url": webhookUrl,
    "webhooks.probeUrl": probeUrl,
    "crds.openReports": "true",
    ...options.chartValues,
  };
  const install = options.install ?? ((manifests) => applyManifests(cluster, manifests));
  await install(await renderChart(values, namespace), values);
  await cluster.kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]);

  const token = options.tokenSeconds === undefined ? {} : { expirationSeconds: options.tokenSeconds };
  const { env = {}, args = [], entry = sources } = options;
  const webhookEnv = { ...env, ...options.webhookEnv };
  const operators: ShieldxProcess[] = [];
  const webhooks: ShieldxProcess[] = [];
  const begun = { operators: 0, webhooks: 0 };
  const host: ShieldxOnHost = {
    operators,
    webhooks,
    webhookUrl,
    async startOperator() {
      // At once, before anything is awaited: several may be starting.
      const name = `operator-${begun.operators++}`;
      const [health, metrics] = [await freePort(), await freePort()];
      const started = await launch({
        cluster,
        entry,
        name,
        health,
        metrics,
        env,
        args: [
          "operator",
          ...args,
          ...(options.operatorArgs ?? []),
          `--kubeconfig=${await cluster.serviceAccountKubeconfig(namespace, "shieldx-operator", token)}`,
          `--namespace=${namespace}`,
          `--webhook-url=${webhookUrl}`,
          `--webhook-probe-url=${probeUrl}`,
          `--health-bind-address=127.0.0.1:${health}`,
          `--metrics-bind-address=127.0.0.1:${metrics}`,
        ],
      });
      operators.push(started);
      await untilReady(started);
      return started;
    },
    async startWebhooks() {
      const name = `webhooks-${begun.webhooks++}`;
      const [health, metrics] = [await freePort(), await freePort()];
      const started = await launch({
        cluster,
        entry,
        name,
        health,
        metrics,
        env: webhookEnv,
        args: [
          "webhooks",
          ...args,
          ...(options.webhookArgs ?? []),
          `--kubeconfig=${await cluster.serviceAccountKubeconfig(namespace, "shieldx-webhooks", token)}`,
          `--namespace=${namespace}`,
          `--replica-name=${name}`,
          `--bind-address=127.0.0.1:${https}`,
          `--probe-bind-address=127.0.0.1:${probe}`,
          `--health-bind-address=127.0.0.1:${health}`,
          `--metrics-bind-address=127.0.0.1:${metrics}`,
          `--shutdown-delay=${options.shutdownDelay ?? "0s"}`,
        ],
      });
      webhooks.push(started);
      await untilReady(started);
      return started;
    },
    async stop() {
      await Promise.all([...operators, ...webhooks].map((p) => p.stop()));
    },
    [Symbol.asyncDispose]: () => host.stop(),
  };
  try {
    await Promise.all([
      ...Array.from({ length: options.operators ?? 1 }, () => host.startOperator()),
      ...Array.from({ length: options.webhooks ?? 1 }, () => host.startWebhooks()),
    ]);
  } catch (error) {
    await host.stop();
    throw error;
  }
  return host;
}
