// `shieldctl debug bundle` as a person runs it, and secrets planted where it looks.
import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Cluster } from "../../cluster/index.ts";
import { restrictedPod } from "../../shieldx/objects.ts";

const bin = join(import.meta.dirname, "..", "..", "..", "cli", "src", "bin.ts");
const run = promisify(execFile);

/** What must not come out again; each is planted in another place. */
export const planted = {
  secret: "planted-in-a-secret-0001",
  environment: "planted-in-an-environment-0002",
  annotation: "planted-in-an-annotation-0003",
  flag: "planted-in-a-flag-0004",
  event: "planted-in-an-event-0005",
  url: "planted-in-a-url-0006",
  configMap: "planted-in-a-configmap-0007",
  privateKey: "MHcCAQEEIPlantedInAPolicy0008oAoGCCqGSM49",
  token: "eyJhbGciOiJSUzI1NiJ9.cGxhbnRlZC1pbi1hLWxlYXNl.cGxhbnRlZA",
} as const;

const namespace = "shieldx-system";

export async function plantSecrets(cluster: Cluster): Promise<void> {
  const objects = [
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "planted", namespace },
      stringData: { password: planted.secret },
    },
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "planted", namespace },
      data: { password: planted.configMap },
    },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: {
        name: "planted",
        namespace,
        annotations: {
          "example.org/dsn": `postgres://user:${planted.url}@db/x`,
          "kubectl.kubernetes.io/last-applied-configuration": planted.annotation,
        },
      },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: "planted" } },
        template: {
          metadata: { labels: { app: "planted" } },
          spec: {
            containers: [
              {
                name: "app",
                image: "docker.io/local/pause:test",
                args: [`--api-token=${planted.flag}`],
                env: [{ name: "ANYTHING", value: planted.environment }],
              },
            ],
          },
        },
      },
    },
    // Never scheduled: its log is empty, and there all the same.
    restrictedPod("planted", {}, namespace),
    {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name: "planted", namespace, annotations: { "example.org/note": planted.token } },
    },
    {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { name: "planted", namespace },
      eventTime: new Date().toISOString().replace("Z", "000Z"),
      reportingController: "example.org/planted",
      reportingInstance: "planted",
      type: "Warning",
      reason: "Planted",
      action: "Plant",
      note: `Authorization: Bearer ${planted.event}`,
      regarding: { apiVersion: "v1", kind: "ConfigMap", name: "planted", namespace },
    },
    {
      apiVersion: "shieldx.io/v1alpha1",
      kind: "ShieldPolicy",
      metadata: {
        name: "planted",
        annotations: {
          "example.org/key": `-----BEGIN EC PRIVATE KEY-----\n${planted.privateKey}\n-----END EC PRIVATE KEY-----\n`,
        },
      },
      spec: {
        engine: "podSecurity",
        podSecurity: { level: "privileged" },
        actions: { admission: "off" },
      },
    },
  ];
  const { code, stderr } = await cluster.kubectl(["apply", "--server-side", "-f", "-"], {
    input: JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }),
  });
  if (code !== 0) throw new Error(`nothing planted: ${stderr}`);
}

export interface Bundle {
  readonly files: ReadonlyMap<string, string>;
  readonly missing: readonly { readonly what: string; readonly why: string }[];
  readonly stderr: string;
}

/** Runs it with these rights and unpacks what it wrote with tar. */
export async function debugBundle(kubeconfig: string, folder: string): Promise<Bundle> {
  mkdirSync(folder);
  const archive = join(folder, "bundle.tar.gz");
  const { stderr } = await run(process.execPath, [
    bin,
    "debug",
    "bundle",
    `--kubeconfig=${kubeconfig}`,
    `--output=${archive}`,
    "--since=1h",
  ]);
  execFileSync("tar", ["-xzf", archive, "-C", folder]);
  const top = join(folder, "shieldx-debug");
  const paths = readdirSync(top, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const files = new Map(paths.map((path) => [path.slice(top.length + 1), readFileSync(path, "utf8")]));
  const { missing } = JSON.parse(files.get("index.json") ?? "{}") as Pick<Bundle, "missing">;
  return { files, missing, stderr };
}
