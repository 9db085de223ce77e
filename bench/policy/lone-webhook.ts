/** ShieldX's webhook as it is shipped, without a cluster: against a server that holds its policies and never changes. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TLS_SECRET, WEBHOOK_PATH } from "@shieldx/crds";
import { generateCa, issueLeaf } from "@shieldx/pki";
import { buildRegoCompiler } from "../../e2e/cluster/index.ts";
import { freePort } from "../../e2e/shieldx/host.ts";
import { waitFor } from "../../e2e/shieldx/wait.ts";
import { bundle } from "../../images/shieldx/bundle.ts";
import { chartEnvironment } from "../admission/shipped.ts";
import { MeasuredProcess } from "../lib/measured-process.ts";
import { type StillServer, startStillServer } from "./still-server.ts";

const installation = "shieldx-system";
const lifetimeMs = 86_400_000;
/** With documents of hundreds of megabytes a process takes minutes. */
const longestStartMs = 300_000;

/** Where reviews go, and who must answer there. */
export interface Endpoint {
  readonly origin: string;
  readonly path: string;
  readonly caPem: string;
  /** Bearer token of whoever asks, for those who want to know. */
  readonly token?: string;
}

export interface LoneWebhook extends AsyncDisposable {
  readonly endpoint: Endpoint;
  readonly process: MeasuredProcess;
  /** From the start of the process until it said it was ready, in milliseconds. */
  readonly readyMs: number;
}

/** What webhook processes are started from, again and again. */
export class WebhookStand {
  readonly #folder: string;
  readonly #server: StillServer;
  readonly #caPem: string;

  private constructor(folder: string, server: StillServer, caPem: string) {
    this.#folder = folder;
    this.#server = server;
    this.#caPem = caPem;
  }

  /**
   * @param namespaces with their labels
   * @param secrets of the installation, with their data
   */
  static async set(
    policies: readonly object[],
    namespaces: Readonly<Record<string, Readonly<Record<string, string>>>>,
    secrets: Readonly<Record<string, Readonly<Record<string, string>>>> = {},
  ): Promise<WebhookStand> {
    const now = Date.now();
    const ca = await generateCa({ commonName: "bench", now, lifetimeMs });
    const leaf = await issueLeaf({ ca, dnsNames: [], ipAddresses: ["127.0.0.1"], now, lifetimeMs });
    const data = { "tls.crt": base64(leaf.certificatePem), "tls.key": base64(leaf.privateKeyPem) };
    const secret = { apiVersion: "v1", kind: "Secret", type: "kubernetes.io/tls", data };
    const server = await startStillServer({
      shieldpolicies: policies.map((policy, at) => stored(policy, at)),
      namespacedshieldpolicies: [],
      shieldexceptions: [],
      namespaces: Object.entries(namespaces).map(([name, labels], at) =>
        stored({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } }, at),
      ),
      secrets: [
        stored({ ...secret, metadata: { name: TLS_SECRET, namespace: installation } }, 0),
        ...Object.entries(secrets).map(([name, texts], at) => {
          const data = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, base64(text)]));
          return stored(
            { apiVersion: "v1", kind: "Secret", metadata: { name, namespace: installation }, data },
            at + 1,
          );
        }),
      ],
    });
    const folder = await mkdtemp(join(tmpdir(), "bench-policy-"));
    await bundle(join(folder, "bundle"));
    await writeFile(join(folder, "kubeconfig"), JSON.stringify(kubeconfigOf(server.url)), { mode: 0o600 });
    return new WebhookStand(folder, server, ca.certificatePem);
  }

  async start(args: readonly string[] = []): Promise<LoneWebhook> {
    const [https, probe, health] = [await freePort(), await freePort(), await freePort()];
    const child = new MeasuredProcess({
      command: process.execPath,
      args: [
        ...[join(this.#folder, "bundle", "shieldx.mjs"), "webhooks"],
        `--kubeconfig=${join(this.#folder, "kubeconfig")}`,
        `--namespace=${installation}`,
        "--replica-name=bench",
        `--bind-address=127.0.0.1:${https}`,
        `--probe-bind-address=127.0.0.1:${probe}`,
        `--health-bind-address=127.0.0.1:${health}`,
        "--metrics-bind-address=0",
        "--shutdown-delay=0s",
        `--rego-compiler=${await buildRegoCompiler()}`,
        `--rego-plans=${join(this.#folder, "plans")}`,
        ...args,
      ],
      env: await chartEnvironment(),
    });
    try {
      const ready = () => answers(`http://127.0.0.1:${health}/readyz`);
      await waitFor("the webhook is ready", ready, { timeoutMs: longestStartMs, everyMs: 5 });
    } catch (error) {
      await child.stop();
      throw error;
    }
    const readyMs = Number(process.hrtime.bigint()) / 1e6 - child.startedAt;
    return {
      process: child,
      readyMs,
      endpoint: { origin: `https://127.0.0.1:${https}`, path: WEBHOOK_PATH.fail, caPem: this.#caPem },
      [Symbol.asyncDispose]: () => child.stop(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** As the API server would have it. */
function stored(object: object, at: number): object {
  const { metadata, ...rest } = object as { metadata: object };
  const uid = `00000000-0000-4000-8000-${String(at).padStart(12, "0")}`;
  const creationTimestamp = "2026-01-01T00:00:00Z";
  return { ...rest, metadata: { ...metadata, uid, generation: 1, resourceVersion: "1", creationTimestamp } };
}

function kubeconfigOf(server: string): object {
  return {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "still",
    contexts: [{ name: "still", context: { cluster: "still", user: "bench" } }],
    clusters: [{ name: "still", cluster: { server } }],
    users: [{ name: "bench", user: {} }],
  };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(1_000) })).ok;
  } catch {
    return false; // not listening yet
  }
}

function base64(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}
