// What a person sees of ShieldX from outside: dashboards, alerts, log lines, traces, Events.
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Client, Secret } from "@shieldx/controller-runtime";
import { problemsOfLogLine } from "@shieldx/telemetry/log-schema";
import { type OtlpReceiver, startOtlpReceiver } from "@shieldx/telemetry/otlp-receiver";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import type { AdmissionLoad } from "../../shieldx/admission-load.ts";
import { clientsOf } from "../../shieldx/clients.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { waitFor } from "../../shieldx/wait.ts";
import { debugBundle, planted, plantSecrets } from "./bundle.ts";
import { makeBusy } from "./busy.ts";
import {
  installMonitoring,
  panelQueries,
  type Rendered,
  renderMonitoring,
  scrapeConfiguration,
} from "./monitoring.ts";
import { hasPrometheus, type Prometheus, startPrometheus } from "./prometheus.ts";

let folder: string;
let receiver: OtlpReceiver;
let cluster: Cluster;
let client: Client;
let shieldx: ShieldxOnHost;
let load: AdmissionLoad;
let rendered: Rendered[];

/** The API server traces every request and sends its traceparent along; nobody takes its own spans. */
const apiServerTracing = JSON.stringify({
  apiVersion: "apiserver.config.k8s.io/v1beta1",
  kind: "TracingConfiguration",
  endpoint: "127.0.0.1:9",
  samplingRatePerMillion: 1_000_000,
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sight-"));
  const tracing = join(folder, "tracing.json");
  await writeFile(tracing, apiServerTracing);
  receiver = await startOtlpReceiver();
  cluster = await startCluster({ name: "sight", apiServerArgs: [`--tracing-config-file=${tracing}`] });
  [client] = await clientsOf(cluster);
  shieldx = await startShieldxOnHost(cluster, {
    operators: 2,
    args: ["--log-level=debug"],
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_BSP_SCHEDULE_DELAY: "200",
    },
  });
  rendered = await renderMonitoring();
  load = await makeBusy(cluster, client, shieldx);
});
afterAll(async () => {
  await load?.stop();
  await client?.close();
  await shieldx?.stop();
  await cluster?.stop();
  await receiver?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("what the chart renders for monitoring", () => {
  it("is taken by the Prometheus operator's own CRDs, field by field", async () => {
    await installMonitoring(cluster, rendered);
    expect(rendered.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort()).toEqual([
      "ClusterRole shieldx-metrics-reader",
      "ClusterRoleBinding shieldx-metrics-reader",
      "ConfigMap shieldx-dashboard-admission",
      "ConfigMap shieldx-dashboard-policies",
      "ConfigMap shieldx-dashboard-runtime",
      "PrometheusRule shieldx",
      "ServiceMonitor shieldx-operator",
      "ServiceMonitor shieldx-webhooks",
    ]);
    for (const { kind, metadata, data } of rendered.filter(({ kind }) => kind === "ConfigMap")) {
      expect(metadata.labels).toMatchObject({ grafana_dashboard: "1" });
      for (const text of Object.values(data ?? {})) expect(JSON.parse(text), kind).toHaveProperty("panels");
    }
  });
});

describe.runIf(hasPrometheus)("Prometheus, configured as the ServiceMonitors say", () => {
  let prometheus: Prometheus;
  beforeAll(async () => {
    const configuration = await scrapeConfiguration(cluster, rendered, shieldx, folder);
    prometheus = await startPrometheus(cluster, folder, await freePort(), configuration);
  });

  it("reads every process with its ServiceAccount's token", async () => {
    await waitFor(
      "all targets up",
      async () => {
        const targets = await prometheus.targets();
        const isUp = targets.length === 3 && targets.every(({ health }) => health === "up");
        return isUp || void targets;
      },
      { timeoutMs: 20_000 },
    );
  });

  it("has data for every query of every dashboard", async () => {
    const queries = panelQueries({
      namespace: "shieldx-system",
      job: "shieldx-.*",
      pod: ".*",
      __rate_interval: "15s",
    });
    expect(queries.length).toBeGreaterThan(80);
    let empty = queries;
    const askAll = async (): Promise<boolean> => {
      const results = await Promise.all(
        empty.map(async (query) => ({ query, data: await prometheus.query(query.expr) })),
      );
      empty = results.filter(({ data }) => data.length === 0).map(({ query }) => query);
      return empty.length === 0;
    };
    await waitFor("data for all queries", askAll, { timeoutMs: 45_000, everyMs: 1_000 }).catch(
      () => undefined,
    );
    expect(empty).toEqual([]);
    console.info(`${queries.length} queries of dashboards have data`);
  });

  it("evaluates every alert, and fires for the tampering that the scenario holds", async () => {
    const rules = await waitFor("all rules evaluated", async () => {
      const all = await prometheus.rules();
      return all.every(({ health }) => health !== "unknown") && all;
    });
    expect(rules.filter(({ health }) => health !== "ok")).toEqual([]);
    const restored = await prometheus.query(
      'sum(shieldx_tampering_restored_total{kind="ValidatingAdmissionPolicyBinding"})',
    );
    expect(Number(restored[0]?.value[1])).toBeGreaterThan(0);
    // Once more, under Prometheus' eyes: what happened before its first scrape is no increase.
    await cluster.kubectl(["delete", "validatingadmissionpolicy", "shieldx-replica-limit"]);
    const alert = await waitFor("ShieldXTamperingRestored fires", async () =>
      (await prometheus.alerts()).find(
        ({ labels, state }) =>
          labels.alertname === "ShieldXTamperingRestored" &&
          labels.kind === "ValidatingAdmissionPolicy" &&
          state === "firing",
      ),
    );
    expect(alert.annotations.summary).toBe(
      "Somebody changed or deleted ValidatingAdmissionPolicy objects of ShieldX; they were put back.",
    );
    expect(alert.annotations.runbook_url).toContain("/ShieldXTamperingRestored.md");
    for (const { labels, annotations } of await prometheus.alerts())
      expect(JSON.stringify(annotations), labels.alertname).not.toMatch(/<error|<no value>/);
  });
});

describe("kubectl", () => {
  const described = (...what: string[]) =>
    waitFor(`kubectl describe ${what.join(" ")} tells of refusals`, async () => {
      const { stdout } = await cluster.kubectl(["describe", ...what]);
      return stdout.includes("PolicyViolation") && stdout;
    });

  it("shows at the Deployment why its Pods are refused", async () => {
    const text = await described("deployment", "web");
    expect(text).toMatch(
      /Warning +PolicyViolation .*ShieldPolicy "baseline" refuses .*Pod.* of ReplicaSet web-\w+: hostNamespaces/,
    );
  });

  it("shows it at the ReplicaSet and at the CronJob, too", async () => {
    expect(await described("replicaset", "-l", "app=web")).toContain("hostNamespaces");
    expect(await described("cronjob", "nightly")).toMatch(/of Job nightly-now: hostNamespaces/);
  });
});

describe("traces", () => {
  const named = (start: string) => receiver.spans.filter(({ name }) => name.startsWith(start));

  it("hold each reconcile, with its requests to the API server as children", async () => {
    await waitFor("reconciles traced", () => named("reconcile shieldpolicy").length > 3);
    const spans = named("reconcile ");
    for (const { service, attributes, parentSpanId } of spans) {
      expect(service).toBe("shieldx-operator");
      expect(parentSpanId).toBeUndefined();
      expect(attributes).toMatchObject({
        "k8s.controller": expect.any(String),
        "k8s.object.name": expect.any(String),
        "k8s.reconcile.id": expect.stringMatching(/^[0-9a-f-]{36}$/),
        "k8s.reconcile.result": expect.stringMatching(/^(success|requeue|requeueAfter|error|terminal)$/),
      });
    }
    const child = await waitFor("a status written within a reconcile", () =>
      receiver.spans.find(({ name }) => name === "apply shieldpolicies.shieldx.io/status"),
    );
    await waitFor("its reconcile", () =>
      named("reconcile ").find(({ spanId }) => spanId === child.parentSpanId),
    );
    expect(child.attributes).toMatchObject({ "http.response.status_code": 200 });
  });

  it("hold each review, as part of the API server's own trace", async () => {
    const review = await waitFor("a refused review traced", () =>
      named("review /admit/policies/fail").find(
        ({ attributes }) => attributes["k8s.admission.allowed"] === false,
      ),
    );
    expect(review).toMatchObject({
      service: "shieldx-webhooks",
      kind: 2,
      parentSpanId: expect.stringMatching(/^[0-9a-f]{16}$/),
      attributes: {
        "k8s.admission.uid": expect.stringMatching(/^[0-9a-f-]{36}$/),
        "k8s.admission.kind": "Pod",
        "k8s.admission.operation": "CREATE",
        "k8s.admission.code": 403,
        "shieldx.policies": ["baseline"],
      },
    });
  });
});

describe("log lines", () => {
  const linesOf = () =>
    [...shieldx.operators, ...shieldx.webhooks].flatMap(({ name, logFile }) =>
      readFileSync(logFile, "utf8")
        .split("\n")
        .slice(0, -1)
        .map((line) => ({ name, line })),
    );

  it("keep the schema, all of them", () => {
    const lines = linesOf();
    expect(lines.length).toBeGreaterThan(100);
    const wrong = lines
      .map(({ name, line }) => ({ name, line, problems: problemsOfLogLine(line) }))
      .filter(({ problems }) => problems.length > 0);
    expect(wrong).toEqual([]);
    console.info(`${lines.length} log lines keep the schema`);
  });

  it("have the uid of the request in everything about a review, and its trace", () => {
    const refused = linesOf()
      .map(({ line }) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ msg }) => msg === "refused");
    expect(refused.length).toBeGreaterThan(5);
    for (const line of refused) {
      expect(line).toMatchObject({
        uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
        traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
        policies: ["baseline"],
      });
    }
    const inReconcile = linesOf()
      .map(({ line }) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ controller }) => controller !== undefined);
    expect(
      inReconcile.some(({ reconcileID, traceId }) => reconcileID !== undefined && traceId !== undefined),
    ).toBe(true);
  });

  it("hold no key and no token", async () => {
    const text = linesOf()
      .map(({ line }) => line)
      .join("\n");
    const secrets = await client.list(Secret, { namespace: "shieldx-system" });
    const values = secrets.items.flatMap(({ data = {} }) =>
      Object.entries(data)
        .filter(([name]) => name.endsWith(".key"))
        .map(([, value]) => value),
    );
    expect(values.length).toBeGreaterThan(1);
    for (const value of values) {
      expect(text).not.toContain(value.slice(40, 80));
      expect(text).not.toContain(Buffer.from(value, "base64").toString("utf8").split("\n")[1]);
    }
    expect(text).not.toMatch(/PRIVATE KEY|eyJhbGciOi/);
  });
});

describe("shieldctl debug bundle", () => {
  it("holds what helps, and nothing of what was planted", async () => {
    await plantSecrets(cluster);
    const { files, missing } = await debugBundle(await cluster.kubeconfigFor(0), join(folder, "all"));
    expect(missing).toEqual([]);
    for (const path of [
      "index.md",
      "versions.json",
      "crds.yaml",
      "policies/shieldpolicies.yaml",
      "policies/namespacedshieldpolicies.yaml",
      "policies/shieldexceptions.yaml",
      "admission/validatingwebhookconfigurations.yaml",
      "admission/validatingadmissionpolicies.yaml",
      "rbac/self-check.json",
      "namespaces/shieldx-system/deployments.yaml",
      "namespaces/shieldx-system/leases.yaml",
      "namespaces/shieldx-system/events.yaml",
      "namespaces/shieldx-system/secrets.json",
      "namespaces/shieldx-system/logs/planted/app.log",
    ])
      expect([...files.keys()]).toContain(path);
    const everything = [...files.values()].join("\n");
    for (const [place, secret] of Object.entries(planted)) expect(everything, place).not.toContain(secret);
    for (const shown of ["ANYTHING", "shieldx-replica-limit", "InForce", "replica-limit", '"planted"'])
      expect(everything).toContain(shown);
    expect(everything).not.toMatch(/PRIVATE KEY|eyJhbGciOi/);
    const check = JSON.parse(files.get("rbac/self-check.json")!) as {
      lacking: unknown[];
      granted: unknown[];
    };
    expect(check.lacking).toEqual([]);
    expect(check.granted.length).toBeGreaterThan(50);
  });

  it("works with limited rights, and says what is missing", async () => {
    await cluster.kubectl(["create", "serviceaccount", "viewer", "-n", "default"]);
    await cluster.kubectl([
      "create",
      "clusterrolebinding",
      "viewer",
      "--clusterrole=view",
      "--serviceaccount=default:viewer",
    ]);
    const kubeconfig = await cluster.serviceAccountKubeconfig("default", "viewer");
    const { files, missing, stderr } = await debugBundle(kubeconfig, join(folder, "some"));
    expect([...files.keys()]).toContain("namespaces/shieldx-system/deployments.yaml");
    expect(missing.map(({ what }) => what)).toContain("webhook configurations of ShieldX");
    expect(missing.every(({ why }) => why.startsWith("not allowed: "))).toBe(true);
    expect(files.get("index.md")).toContain("- names of Secrets of shieldx-system: not allowed");
    expect(stderr).toContain(`${missing.length} things are missing`);
  });
});

it("answers as before while the collector of traces is away", async () => {
  receiver.answerWith(503);
  const { failures, requests } = load.soFar;
  await waitFor("more load", () => load.soFar.requests > requests + 60);
  expect(load.soFar.failures).toBe(failures);
  receiver.answerWith(200);
  await delay(0);
});
