// A real Prometheus (Debian's package) that scrapes as the chart's ServiceMonitors say.
import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Cluster, RunningProcess } from "../../cluster/index.ts";
import { waitFor } from "../../shieldx/wait.ts";

/** Whether the machine has it; `make e2e` and CI install Debian's package, see e2e/cluster/node/prerequisites.ts. */
export const hasPrometheus = ["prometheus", "promtool"].every((program) => {
  try {
    execFileSync(program, ["--version"], { stdio: "ignore" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
});
if (!hasPrometheus) {
  console.warn("skipped: no prometheus here. apt-get install --no-install-recommends prometheus");
}

export interface Result {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

export interface Target {
  readonly health: string;
  readonly lastError: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Prometheus {
  /** Instant query; throws with Prometheus' own message. */
  query(expr: string): Promise<Result[]>;
  targets(): Promise<Target[]>;
  /** Alerts that are pending or firing, with their texts filled in. */
  alerts(): Promise<{ labels: Record<string, string>; annotations: Record<string, string>; state: string }[]>;
  rules(): Promise<{ name: string; health: string; lastError?: string }[]>;
  readonly process: RunningProcess;
}

/** Through the cluster's watchdog, so that it ends with the cluster. */
export async function startPrometheus(
  cluster: Cluster,
  folder: string,
  port: number,
  configuration: object,
): Promise<Prometheus> {
  await mkdir(join(folder, "data"), { recursive: true });
  const config = join(folder, "prometheus.yml");
  // JSON is YAML.
  await writeFile(config, JSON.stringify(configuration));
  const running = await cluster.processes.start({
    name: "prometheus",
    command: "prometheus",
    args: [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=warn",
    ],
  });
  const get = async <T>(path: string): Promise<T> => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`, {
      signal: AbortSignal.timeout(10_000),
    });
    const body = (await response.json()) as { status: string; error?: string; data: T };
    if (body.status !== "success") throw new Error(`Prometheus: ${body.error}`);
    return body.data;
  };
  await waitFor("Prometheus ready", async () => {
    try {
      return (await fetch(`http://127.0.0.1:${port}/-/ready`)).ok;
    } catch {
      // Not listening yet.
      return false;
    }
  });
  return {
    process: running,
    query: async (expr) =>
      (await get<{ result: Result[] }>(`query?query=${encodeURIComponent(expr)}`)).result,
    targets: async () => (await get<{ activeTargets: Target[] }>("targets?state=active")).activeTargets,
    alerts: async () => (await get<{ alerts: never[] }>("alerts")).alerts,
    rules: async () =>
      (await get<{ groups: { rules: never[] }[] }>("rules")).groups.flatMap(({ rules }) => rules),
  };
}
