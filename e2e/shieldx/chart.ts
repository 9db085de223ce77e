import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { buildHelm } from "../cluster/index.ts";

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

/** Renders a chart with Helm itself. Values are Helm's: `a.b=c`. Throws with Helm's own message. */
export async function renderChart(
  values: Readonly<Record<string, string>>,
  namespace = "shieldx-system",
  { chart = "shieldx", flags = [] }: RenderOptions = {},
): Promise<string> {
  const helm = await buildHelm();
  const set = Object.entries(values).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  const { stdout } = await run(
    helm,
    [
      ...["template", chart, chartFolder(chart), "--kube-version", "1.37.2", "--namespace", namespace],
      ...flags,
      ...set,
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
