// Argo CD without its servers: the judgement and the writes of its application controller, on a real cluster.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseAllDocuments, stringify } from "yaml";
import { buildArgocd, type Cluster, runCommand } from "../../cluster/index.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";

export const deploy = new URL("../../../deploy", import.meta.url).pathname;

/** How Argo CD finds differences; which one it uses depends on the Application. */
/** No drift at all. */
export const inSync = { modified: [], missing: [], extra: [] } as const;

export const diffModes = ["three-way", "structured-merge", "server-side"] as const;
export type DiffMode = (typeof diffModes)[number];

export interface Comparison {
  readonly compared: number;
  readonly modified: readonly { readonly object: string; readonly live: unknown; readonly target: unknown }[];
  readonly missing: readonly string[];
  /** What a sync would prune. */
  readonly extra: readonly string[];
  readonly hooks: readonly string[];
}

export interface Operation {
  readonly phase: "Succeeded" | "Failed" | "Error";
  readonly message: string;
  readonly resources: readonly {
    readonly object: string;
    readonly status: "Synced" | "SyncFailed" | "Pruned" | "PruneSkipped";
    readonly message: string;
  }[];
}

export interface Deletion {
  readonly deleted: readonly string[];
  readonly kept: readonly string[];
  readonly hooks: readonly string[];
}

export interface Health {
  readonly status: "Healthy" | "Progressing" | "Degraded" | "Suspended" | "Missing" | "Unknown";
  readonly message?: string;
}

export interface HealthCase {
  readonly kind: string;
  readonly input: string;
  readonly expected: Health;
  readonly found: Health | null;
  readonly error?: string;
}

/** Runs every health_test.yaml of a folder in Argo CD's own sandbox. */
export async function healthTests(customizations: string): Promise<HealthCase[]> {
  return JSON.parse(await run(["health-tests", "--customizations", customizations])) as HealthCase[];
}

async function run(args: readonly string[], timeoutMs = 240_000): Promise<string> {
  const { code, stdout, stderr } = await runCommand(await buildArgocd(), args, { timeoutMs });
  if (code !== 0) throw new Error(`argocd ${args[0]}: ${stderr.trim()}`);
  return stdout;
}

/** What an Application's source renders to, as text. */
export type Render = () => Promise<string>;

/** One Application of deploy/argocd against a cluster that has an argocd-cm. */
export class Application {
  readonly #cluster: Cluster;
  readonly #file: string;
  readonly #render: Render;

  constructor(cluster: Cluster, file: string, render: Render) {
    this.#cluster = cluster;
    this.#file = file;
    this.#render = render;
  }

  /** What Argo CD would show as drift, by each way it has of finding it. */
  async compare(modes: readonly DiffMode[] = diffModes): Promise<Record<DiffMode, Comparison>> {
    return JSON.parse(await this.#run("compare", ["--modes", modes.join(",")])) as Record<
      DiffMode,
      Comparison
    >;
  }

  /** What a sync applies, with Argo CD's tracking marks: a List as JSON. */
  async targets(): Promise<string> {
    return await this.#run("targets");
  }

  async sync(timeout = "120s"): Promise<Operation> {
    return JSON.parse(await this.#run("sync", ["--timeout", timeout])) as Operation;
  }

  /** As with the finalizer resources-finalizer.argocd.argoproj.io. */
  async delete(): Promise<Deletion> {
    return JSON.parse(await this.#run("delete")) as Deletion;
  }

  async #run(command: string, flags: readonly string[] = []): Promise<string> {
    const manifests = await scratchFile(this.#cluster, "manifests.yaml", await this.#render());
    const where = ["--kubeconfig", this.#cluster.kubeconfig, "--application", this.#file];
    return await run([command, ...where, "--manifests", manifests, ...flags]);
  }
}

/** The health of objects as they are in the cluster, judged by its argocd-cm; keys are `Kind/[namespace/]name`. */
export async function healthOf(cluster: Cluster, ...what: string[]): Promise<Record<string, Health | null>> {
  const found = await mustKubectl(cluster, ["get", ...what, "-o", "json"]);
  const list = JSON.parse(found) as { items?: unknown[] };
  // As JSON: a YAML 1.1 parser reads a bare Off as false.
  const text = (list.items ?? [list]).map((item) => JSON.stringify(item)).join("\n---\n");
  const manifests = await scratchFile(cluster, "live.yaml", text);
  const where = ["--kubeconfig", cluster.kubeconfig, "--manifests", manifests];
  return JSON.parse(await run(["health", ...where])) as Record<string, Health | null>;
}

async function scratchFile(cluster: Cluster, name: string, text: string): Promise<string> {
  const folder = join(cluster.dir, "argocd");
  await mkdir(folder, { recursive: true });
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

/** What of an Argo CD installation the controller's judgement needs, then our settings as the guide applies them. */
export async function installSettings(cluster: Cluster): Promise<void> {
  const labels = { "app.kubernetes.io/part-of": "argocd" };
  const base = [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "argocd" } },
    { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "argocd-cm", namespace: "argocd", labels } },
    { apiVersion: "v1", kind: "Secret", metadata: { name: "argocd-secret", namespace: "argocd", labels } },
  ];
  const text = base.map((object) => stringify(object)).join("---\n");
  await mustKubectl(cluster, ["apply", "-f", "-"], text);
  const settings = join(deploy, "argocd", "argocd-cm.yaml");
  await mustKubectl(cluster, ["apply", "--server-side", "--field-manager=shieldx", "-f", settings]);
}

/** A file of deploy/argocd with a change made to it, for a test that wants another option. */
export async function changedApplication(
  cluster: Cluster,
  file: string,
  change: (application: { spec: { syncPolicy: { syncOptions?: string[] } } }) => void,
): Promise<string> {
  const [document] = parseAllDocuments(await readFile(file, "utf8"));
  const application = document?.toJS() as Parameters<typeof change>[0];
  change(application);
  return await scratchFile(cluster, "application.yaml", stringify(application));
}
