// What the integration tests share: a control plane with our kinds, the webhook's real rights, its certificates written
// as the operator would write them, and the webhook as a process of its own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import {
  type Client,
  createClient,
  type KubeObject,
  Lease,
  loadCredentials,
  Secret,
  ValidatingWebhookConfiguration,
} from "@shieldx/controller-runtime";
import { replicaLeaseName, TLS_SECRET } from "@shieldx/crds";
import { type Cluster, startCluster, waitFor as waitUntil } from "@shieldx/e2e/cluster";
import { generateCa, issueLeaf, type KeyPair } from "@shieldx/pki";
import { webhooksRbac } from "./rbac.ts";

export const namespace = "shieldx-system";
const entry = fileURLToPath(new URL("../../images/shieldx/main.ts", import.meta.url));
const day = 86_400_000;

export const waitFor = <T>(
  what: string,
  probe: () => Promise<T | undefined | false>,
  timeoutMs = 30_000,
): Promise<T> => waitUntil(what, probe, { timeoutMs, intervalMs: 20 });

export interface WebhookProcess {
  readonly name: string;
  readonly ports: {
    readonly https: number;
    readonly probe: number;
    readonly metrics: number;
    readonly health: number;
  };
  /** Everything it has printed. */
  output(): string;
  isReady(): Promise<boolean>;
  signal(signal: NodeJS.Signals): void;
  readonly exited: Promise<number | null>;
}

export interface TestBed extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly admin: Client;
  readonly ca: KeyPair;
  apply(...objects: object[]): Promise<void>;
  kubectl(args: string[], input?: object): Promise<{ code: number | null; stdout: string; stderr: string }>;
  newLeaf(ca?: KeyPair): Promise<KeyPair>;
  writeSecret(serving: KeyPair, candidate?: KeyPair): Promise<void>;
  start(options?: { name?: string; delay?: string; args?: readonly string[] }): Promise<WebhookProcess>;
  lease(name: string): Promise<Lease | undefined>;
  /** Registers a webhook process under the names the operator uses. */
  register(process: WebhookProcess, caBundle: string): Promise<void>;
}

export async function startTestBed(name: string): Promise<TestBed> {
  const cluster = await startCluster({ name });
  const admin = createClient({ credentials: await loadCredentials({ kubeconfig: cluster.kubeconfig }) });
  const ca = await generateCa({ commonName: "test", now: Date.now(), lifetimeMs: day });
  const processes: WebhookProcess[] = [];
  const bed: TestBed = {
    cluster,
    admin,
    ca,
    kubectl: (args, input) =>
      cluster.kubectl(args, input === undefined ? {} : { input: JSON.stringify(input) }),
    async apply(...items) {
      const list = { apiVersion: "v1", kind: "List", items };
      const { code, stderr } = await bed.kubectl(
        ["apply", "--server-side", "--force-conflicts", "-f", "-"],
        list,
      );
      if (code !== 0) throw new Error(`apply was refused: ${stderr}`);
    },
    newLeaf: (by = ca) =>
      issueLeaf({ ca: by, dnsNames: [], ipAddresses: ["127.0.0.1"], now: Date.now(), lifetimeMs: day }),
    async writeSecret(serving, candidate) {
      const text = {
        "tls.crt": serving.certificatePem,
        "tls.key": serving.privateKeyPem,
        ...(candidate && {
          "candidate.crt": candidate.certificatePem,
          "candidate.key": candidate.privateKeyPem,
        }),
      };
      const data = Object.fromEntries(Object.entries(text).map(([key, value]) => [key, base64(value)]));
      const object = {
        apiVersion: "v1",
        kind: "Secret",
        type: "kubernetes.io/tls",
        metadata: { name: TLS_SECRET, namespace },
        data,
      };
      await admin.apply(Secret, object, { fieldManager: "test", force: true });
    },
    async start({ name: replica = "one", delay = "1s", args = [] } = {}) {
      const [https = 0, probe = 0, metrics = 0, health = 0] = await freePorts(4);
      const ports = { https, probe, metrics, health };
      const kubeconfig = await cluster.serviceAccountKubeconfig(namespace, "shieldx-webhooks");
      const started = launch(replica, ports, [
        `--kubeconfig=${kubeconfig}`,
        `--replica-name=${replica}`,
        `--bind-address=127.0.0.1:${https}`,
        `--probe-bind-address=127.0.0.1:${probe}`,
        `--metrics-bind-address=127.0.0.1:${metrics}`,
        `--health-bind-address=127.0.0.1:${health}`,
        `--shutdown-delay=${delay}`,
        "--log-level=debug",
        ...args,
      ]);
      processes.push(started);
      return started;
    },
    lease: (replica) => admin.find(Lease, { name: replicaLeaseName(replica), namespace }),
    async register({ ports }, caBundle) {
      const https = `https://127.0.0.1:${ports.https}`;
      const rules = (groups: string[], resources: string[]) => [
        {
          apiGroups: groups,
          apiVersions: ["*"],
          operations: ["CREATE", "UPDATE"],
          resources,
          scope: "*" as const,
        },
      ];
      const webhook = (entryName: string, url: string, more: object) => ({
        name: entryName,
        clientConfig: { url, caBundle: base64(caBundle) },
        admissionReviewVersions: ["v1"],
        sideEffects: "None" as const,
        failurePolicy: "Fail" as const,
        timeoutSeconds: 5,
        ...more,
      });
      const configurations = {
        "shieldx-policies-fail": webhook("fail.policies.shieldx.io", `${https}/admit/policies/fail`, {
          rules: [...rules([""], ["pods"]), ...rules(["apps"], ["deployments", "replicasets"])],
        }),
        "shieldx-kinds": webhook("kinds.shieldx.io", `${https}/validate/kinds`, {
          rules: rules(["shieldx.io"], ["shieldpolicies", "namespacedshieldpolicies", "shieldexceptions"]),
        }),
        "shieldx-probe": webhook("probe.shieldx.io", `https://127.0.0.1:${ports.probe}/probe`, {
          rules: rules([""], ["configmaps"]),
          objectSelector: { matchLabels: { "shieldx.io/handshake-probe": "shieldx-probe" } },
        }),
      };
      for (const [configuration, entry] of Object.entries(configurations)) {
        const object: ValidatingWebhookConfiguration = {
          apiVersion: "admissionregistration.k8s.io/v1",
          kind: "ValidatingWebhookConfiguration",
          metadata: { name: configuration },
          webhooks: [entry],
        };
        await admin.apply(ValidatingWebhookConfiguration, object, { fieldManager: "test", force: true });
      }
    },
    async [Symbol.asyncDispose]() {
      for (const started of processes) started.signal("SIGKILL");
      await Promise.all(processes.map(({ exited }) => exited));
      await admin.close();
      await cluster.stop();
    },
  };
  for (const kind of ["shieldpolicies", "namespacedshieldpolicies", "shieldexceptions"]) {
    const crd = await readFile(new URL(`../../crds/generated/${kind}.yaml`, import.meta.url), "utf8");
    await cluster.kubectl(["apply", "--server-side", "-f", "-"], { input: crd });
  }
  await bed.apply(...roles());
  await bed.kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]);
  return bed;
}

export function launch(
  name: string,
  ports: WebhookProcess["ports"],
  args: readonly string[],
): WebhookProcess {
  const child = spawn(process.execPath, [entry, "webhooks", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const record = (chunk: Buffer): void => {
    output += chunk.toString("utf8");
  };
  child.stdout.on("data", record);
  child.stderr.on("data", record);
  return {
    name,
    ports,
    output: () => output,
    async isReady() {
      try {
        return (
          await fetch(`http://127.0.0.1:${ports.health}/readyz`, { signal: AbortSignal.timeout(2_000) })
        ).ok;
      } catch {
        return false; // not listening yet, or not any more
      }
    },
    signal: (signal) => child.kill(signal),
    exited: new Promise((resolve) => child.once("exit", (code) => resolve(code))),
  };
}

export async function untilReady(process: WebhookProcess): Promise<void> {
  await waitFor(`${process.name} ready; it printed: ${process.output()}`, () => process.isReady(), 60_000);
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

function base64(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}

/** The ServiceAccount with the very rights the chart grants. */
function roles(): KubeObject[] {
  const api = "rbac.authorization.k8s.io";
  const name = "shieldx-webhooks";
  const subjects = [{ kind: "ServiceAccount", name, namespace }];
  const roleRef = (kind: string) => ({ apiGroup: api, kind, name });
  const apiVersion = `${api}/v1`;
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace } },
    { apiVersion, kind: "ClusterRole", metadata: { name }, rules: webhooksRbac.cluster },
    { apiVersion, kind: "Role", metadata: { name, namespace }, rules: webhooksRbac.namespace },
    { apiVersion, kind: "ClusterRoleBinding", metadata: { name }, roleRef: roleRef("ClusterRole"), subjects },
    { apiVersion, kind: "RoleBinding", metadata: { name, namespace }, roleRef: roleRef("Role"), subjects },
  ];
}
