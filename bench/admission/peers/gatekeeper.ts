/** Gatekeeper as a process on this host, from its published module; manifests are read from there too. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { Authority } from "../../../e2e/cluster/control-plane/certificates.ts";
import {
  buildGoBinary,
  type Cluster,
  publishedFile,
  type RunningProcess,
} from "../../../e2e/cluster/index.ts";
import { freePort } from "../../../e2e/shieldx/host.ts";
import { type Manifest, restrictedPod } from "../../../e2e/shieldx/objects.ts";
import { waitFor } from "../../../e2e/shieldx/wait.ts";
import type { GatekeeperRule } from "../rules/templates.ts";
import { ownAddress } from "./own-address.ts";

export const gatekeeperVersion = "v3.18.2";
const module = {
  path: "github.com/open-policy-agent/gatekeeper/v3",
  version: gatekeeperVersion,
  sum: "h1:P3h1f8hin0M/a9r70LajMjOPxF3C1dUFqqWJZ4B3A5E=",
};
const namespace = "gatekeeper-system";

/** Owns what Gatekeeper writes about itself; without it the garbage collector would remove that again and again. */
const podName = "gatekeeper-on-host";
const pod = restrictedPod(
  podName,
  { schedulerName: "nobody", automountServiceAccountToken: false },
  namespace,
);

/** What of the published manifest is needed for processes outside the cluster. */
const neededKinds = new Set([
  "Namespace",
  "CustomResourceDefinition",
  "ServiceAccount",
  "Role",
  "ClusterRole",
  "RoleBinding",
  "ClusterRoleBinding",
]);

export function buildGatekeeper(): Promise<string> {
  return buildGoBinary({
    module: join(import.meta.dirname, "..", "gatekeeper"),
    output: "gatekeeper",
    package: module.path,
    ldflags: `-s -w -X ${module.path}/pkg/version.Version=${gatekeeperVersion}`,
  });
}

export interface GatekeeperProcess {
  readonly pid: number;
  /** From the start of the process until it said it was ready, in milliseconds. */
  readonly readyMs: number;
  readonly metricsUrl: string;
  readonly logFile: string;
  stop(): Promise<void>;
}

/** Its kinds, roles and namespace are in the cluster, and its webhook is registered for the namespaces selected. */
export class Gatekeeper {
  readonly #cluster: Cluster;
  readonly #binary: string;
  readonly #certificates: string;
  readonly #kubeconfig: string;
  readonly #port: number;
  readonly #address: string;
  #started = 0;

  private constructor(parts: {
    cluster: Cluster;
    binary: string;
    certificates: string;
    kubeconfig: string;
    port: number;
    address: string;
  }) {
    this.#cluster = parts.cluster;
    this.#binary = parts.binary;
    this.#certificates = parts.certificates;
    this.#kubeconfig = parts.kubeconfig;
    this.#port = parts.port;
    this.#address = parts.address;
  }

  static async install(cluster: Cluster): Promise<Gatekeeper> {
    const binary = await buildGatekeeper();
    const published = await readFile(await publishedFile(module, "deploy/gatekeeper.yaml"), "utf8");
    const manifests = parseAllDocuments(published)
      .map((document) => document.toJS() as Manifest | null)
      .filter((manifest) => manifest !== null && neededKinds.has(String(manifest.kind)));
    await applyAll(cluster, manifests as Manifest[]);
    await cluster.kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]);
    await waitFor("Gatekeeper's Pod", async () => {
      const { code } = await cluster.kubectl(["apply", "-f", "-"], { input: JSON.stringify(pod) });
      return code === 0;
    });
    const authority = await Authority.create("gatekeeper-ca");
    const address = ownAddress();
    const pair = await authority.issue(
      { commonName: "gatekeeper-webhook-service", ipAddresses: [address] },
      "server",
    );
    const certificates = join(cluster.dir, "gatekeeper-certs");
    await mkdir(certificates, { recursive: true });
    await writeFile(join(certificates, "tls.crt"), pair.certificate);
    await writeFile(join(certificates, "tls.key"), pair.key, { mode: 0o600 });
    await writeFile(join(certificates, "ca.crt"), authority.certificatePem);
    const kubeconfig = await cluster.serviceAccountKubeconfig(namespace, "gatekeeper-admin", {
      expirationSeconds: 7200,
    });
    const port = await freePort();
    return new Gatekeeper({ cluster, binary, certificates, kubeconfig, port, address });
  }

  /** Templates first: each makes the kind of its constraints, which may share it. */
  async applyRules(rules: readonly GatekeeperRule[]): Promise<void> {
    const named = rules.map(
      ({ template }) => [(template.metadata as { name: string }).name, template] as const,
    );
    await applyAll(this.#cluster, [...new Map(named).values()]);
    const constraints = rules.map(({ constraint }) => JSON.stringify(constraint)).join("\n---\n");
    await waitFor(
      `${rules.length} constraints are accepted`,
      async () => {
        const applied = await this.#cluster.kubectl(["apply", "--server-side", "-f", "-"], {
          input: constraints,
        });
        return applied.code === 0;
      },
      { timeoutMs: 300_000 },
    );
  }

  /** Registers the webhook as published, but for Pods of the namespaces labelled `bench=` one of `labels`. */
  async register(labels: readonly string[]): Promise<void> {
    const caBundle = (await readFile(join(this.#certificates, "ca.crt"))).toString("base64");
    await applyAll(this.#cluster, [
      {
        apiVersion: "admissionregistration.k8s.io/v1",
        kind: "ValidatingWebhookConfiguration",
        metadata: { name: "gatekeeper-validating-webhook-configuration" },
        webhooks: [
          {
            name: "validation.gatekeeper.sh",
            admissionReviewVersions: ["v1", "v1beta1"],
            clientConfig: { caBundle, url: `https://${this.#address}:${this.#port}/v1/admit` },
            failurePolicy: "Fail",
            matchPolicy: "Exact",
            sideEffects: "None",
            // A slow answer is to be measured, not lost.
            timeoutSeconds: 30,
            namespaceSelector: {
              matchExpressions: [
                { key: "bench", operator: "In", values: labels },
                { key: "admission.gatekeeper.sh/ignore", operator: "DoesNotExist" },
                { key: "kubernetes.io/metadata.name", operator: "NotIn", values: [namespace] },
              ],
            },
            rules: [
              { apiGroups: [""], apiVersions: ["*"], operations: ["CREATE", "UPDATE"], resources: ["pods"] },
            ],
          },
        ],
      },
    ]);
  }

  /** Starts one process and waits until it is ready. */
  async start(operations: readonly string[], flags: readonly string[] = []): Promise<GatekeeperProcess> {
    const [health, metrics] = [await freePort(), await freePort()];
    const began = performance.now();
    const running: RunningProcess = await this.#cluster.processes.start({
      name: `gatekeeper-${this.#started++}`,
      command: this.#binary,
      args: [
        `--kubeconfig=${this.#kubeconfig}`,
        ...operations.map((operation) => `--operation=${operation}`),
        `--host=${this.#address}`,
        `--port=${this.#port}`,
        `--cert-dir=${this.#certificates}`,
        "--disable-cert-rotation",
        `--exempt-namespace=${namespace}`,
        "--disable-opa-builtin={http.send}",
        `--health-addr=127.0.0.1:${health}`,
        `--prometheus-port=${metrics}`,
        ...flags,
      ],
      env: { POD_NAME: podName, POD_NAMESPACE: namespace, NAMESPACE: namespace, CONTAINER_NAME: "manager" },
    });
    const ended = running.exited.then(async ({ code }) => {
      const log = (await readFile(running.logFile, "utf8")).trimEnd().split("\n").slice(-5).join("\n");
      throw new Error(`gatekeeper ended with code ${code} before it was ready:\n${log}`);
    });
    const ready = waitFor("gatekeeper ready", () => answers(`http://127.0.0.1:${health}/readyz`), {
      timeoutMs: 120_000,
      everyMs: 10,
    });
    await Promise.race([ready, ended]);
    ended.catch(() => undefined);
    return {
      pid: running.pid,
      readyMs: performance.now() - began,
      metricsUrl: `http://127.0.0.1:${metrics}/metrics`,
      logFile: running.logFile,
      stop: async () => void (await running.stop({ graceMs: 20_000 })),
    };
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(1000) })).ok;
  } catch {
    // Not listening yet.
    return false;
  }
}

async function applyAll(cluster: Cluster, manifests: readonly Manifest[]): Promise<void> {
  const input = manifests.map((manifest) => JSON.stringify(manifest)).join("\n---\n");
  const applied = await cluster.kubectl(["apply", "--server-side", "-f", "-"], { input });
  if (applied.code !== 0) throw new Error(`Gatekeeper's manifests were refused: ${applied.stderr}`);
}
