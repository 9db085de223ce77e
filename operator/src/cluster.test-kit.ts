// What the operator's integration tests share: a control plane with our kinds and the operator's real rights.
import { readFile } from "node:fs/promises";
import {
  type Client,
  createClient,
  createManager,
  type Logger,
  loadCredentials,
  realClock,
  silentLogger,
} from "@shieldx/controller-runtime";
import { kinds } from "@shieldx/crds";
import { type Cluster, startCluster, waitFor as waitUntil } from "@shieldx/e2e/cluster";
import { openRegoPolicies } from "@shieldx/policy-engine";
import { Registry } from "prom-client";
import type { CertificateSettings } from "./controllers/certificates/controller.ts";
import type { WebhookAddress } from "./controllers/webhook-configuration/decide.ts";
import { buildOperator } from "./operator.ts";
import { operatorRbac } from "./rbac.ts";

export const NAMESPACE = "shieldx-system";

export const waitFor = <T>(
  what: string,
  condition: () => Promise<T> | T,
  timeoutMs = 60_000,
): Promise<NonNullable<T>> =>
  waitUntil(what, async () => ((await condition()) || undefined) as NonNullable<T> | undefined, {
    timeoutMs,
    intervalMs: 20,
  });

export function roles(): object[] {
  const subjects = [{ kind: "ServiceAccount", name: "shieldx-operator", namespace: NAMESPACE }];
  const api = "rbac.authorization.k8s.io";
  const metadata = { name: "shieldx-operator" };
  const namespaced = { ...metadata, namespace: NAMESPACE };
  const roleRef = (kind: string) => ({ apiGroup: api, kind, name: metadata.name });
  const apiVersion = `${api}/v1`;
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } },
    { apiVersion: "v1", kind: "ServiceAccount", metadata: namespaced },
    { apiVersion, kind: "ClusterRole", metadata, rules: operatorRbac.cluster },
    { apiVersion, kind: "Role", metadata: namespaced, rules: operatorRbac.namespace },
    { apiVersion, kind: "ClusterRoleBinding", metadata, roleRef: roleRef("ClusterRole"), subjects },
    { apiVersion, kind: "RoleBinding", metadata: namespaced, roleRef: roleRef("Role"), subjects },
  ];
}

export interface TestBed {
  readonly cluster: Cluster;
  readonly admin: Client;
  readonly registry: Registry;
  /** What the operator logged as errors, and as warnings. */
  readonly failures: string[];
  readonly warnings: string[];
  kubectl(args: string[], input?: unknown): Promise<{ code: number | null; stdout: string; stderr: string }>;
  apply(...objects: object[]): Promise<void>;
  startOperator(options?: {
    address?: WebhookAddress;
    certificates?: CertificateSettings;
    refusalRetryMs?: number;
  }): Promise<() => Promise<void>>;
  stop(): Promise<void>;
}

export async function startTestBed(options: Parameters<typeof startCluster>[0]): Promise<TestBed> {
  const cluster = await startCluster(options);
  const admin = createClient({ credentials: await loadCredentials({ kubeconfig: cluster.kubeconfig }) });
  const registry = new Registry();
  const failures: string[] = [];
  const warnings: string[] = [];
  const stops: (() => Promise<void>)[] = [];
  const bed: TestBed = {
    cluster,
    admin,
    registry,
    failures,
    warnings,
    kubectl: (args, input) =>
      cluster.kubectl(
        args,
        input === undefined ? {} : { input: typeof input === "string" ? input : JSON.stringify(input) },
      ),
    async apply(...objects) {
      const list = { apiVersion: "v1", kind: "List", items: objects };
      const result = await bed.kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], list);
      if (result.code !== 0) throw new Error(`apply was refused: ${result.stderr}`);
    },
    async startOperator({ address, certificates, refusalRetryMs } = {}) {
      const kubeconfig = await cluster.serviceAccountKubeconfig(NAMESPACE, "shieldx-operator");
      const client = createClient({ credentials: await loadCredentials({ kubeconfig }) });
      const logger: Logger = {
        ...silentLogger,
        warn: (_fields, message) => warnings.push(message),
        error: (fields, message) => failures.push(`${message}: ${JSON.stringify(fields)}`),
      };
      const metrics = stops.length === 0 ? registry : new Registry();
      const manager = createManager({
        client,
        name: "shieldx-operator",
        namespace: NAMESPACE,
        metrics,
        logger,
      });
      buildOperator({
        manager,
        registry: metrics,
        clock: realClock,
        logger,
        namespace: NAMESPACE,
        serverMinor: 37,
        webhookAddress: address ?? { kind: "service", namespace: NAMESPACE },
        auditReports: 1000,
        rego: openRegoPolicies({ compilerFile: "none", clock: realClock, log: () => {} }),
        ...(certificates === undefined ? {} : { certificates }),
        ...(refusalRetryMs === undefined ? {} : { refusalRetryMs }),
      });
      const signal = new AbortController();
      const ran = manager.run(signal.signal);
      const stop = async () => {
        signal.abort(new Error("test ended"));
        await ran;
        await client.close();
      };
      stops.push(stop);
      return stop;
    },
    async stop() {
      await Promise.allSettled(stops.map((stop) => stop()));
      await admin.close();
      await cluster.stop();
    },
  };
  for (const { plural: file } of kinds) {
    const crd = await readFile(new URL(`../../crds/generated/${file}.yaml`, import.meta.url), "utf8");
    await bed.kubectl(["apply", "--server-side", "-f", "-"], crd);
  }
  await bed.apply(...roles());
  await bed.kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]);
  return bed;
}
