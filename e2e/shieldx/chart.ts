import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { buildHelm, type Cluster, runCommand } from "../cluster/index.ts";

const run = promisify(execFile);

export type ChartName = "shieldx" | "shieldx-policies";

export interface RenderOptions {
  /** Default `shieldx`; also the release's name. */
  readonly chart?: ChartName;
  /** Further flags of `helm template`. */
  readonly flags?: readonly string[];
}

export function chartFolder(chart: ChartName): string {
  return new URL(`../../charts/${chart}`, import.meta.url).pathname;
}

/** Values are Helm's: `a.b=c`. */
export type HelmValues = Readonly<Record<string, string>>;

export function valueFlags(values: HelmValues): string[] {
  return Object.entries(values).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
}

/** Runs Helm in ShieldX's namespace. Throws with Helm's own message and what the namespace holds then. */
export async function runHelm(cluster: Cluster, args: readonly string[]): Promise<string> {
  const where = ["--namespace", "shieldx-system"];
  const env = { ...process.env, KUBECONFIG: cluster.kubeconfig, HELM_CACHE_HOME: `${cluster.dir}/helm` };
  const options = { env, timeoutMs: 240_000 };
  const { code, stdout, stderr } = await runCommand(await buildHelm(), [...args, ...where], options);
  if (code === 0) return stdout;
  const seen = await cluster.kubectl(["get", "pods,jobs,events", ...where, "-o", "wide"]);
  throw new Error(`helm ${args.join(" ")}: ${stderr}\n${seen.stdout}`);
}

/** Renders a chart with Helm itself. Throws with Helm's own message. */
export async function renderChart(
  values: HelmValues,
  namespace = "shieldx-system",
  { chart = "shieldx", flags = [] }: RenderOptions = {},
): Promise<string> {
  const helm = await buildHelm();
  const { stdout } = await run(
    helm,
    [
      ...["template", chart, chartFolder(chart), "--kube-version", "1.37.2", "--namespace", namespace],
      ...flags,
      ...valueFlags(values),
    ],
    {
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  return stdout;
}

/** An object as a chart renders it. Loosely typed: tests look into it. */
export interface Rendered {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  // biome-ignore lint/suspicious/noExplicitAny: any kind at all
  readonly [field: string]: any;
}

/** The objects of a rendered chart, in Helm's order. */
export function objectsOf(manifests: string): Rendered[] {
  return parseAllDocuments(manifests)
    .map((document) => document.toJS() as Rendered | null)
    .filter((object) => object !== null);
}
