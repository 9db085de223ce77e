// What the chart renders for Prometheus and Grafana, and the scrape configuration that its ServiceMonitors mean.
import { globSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { type Cluster, publishedManifest } from "../../cluster/index.ts";
import { renderChart } from "../../shieldx/chart.ts";
import type { ShieldxOnHost, ShieldxProcess } from "../../shieldx/host.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import { waitFor } from "../../shieldx/wait.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const namespace = "shieldx-system";
const scraper = { name: "prometheus", namespace: "monitoring" };

export interface Rendered {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: { readonly endpoints?: readonly Endpoint[]; readonly groups?: unknown };
}

interface Endpoint {
  readonly path: string;
  readonly scheme: string;
  readonly bearerTokenFile: string;
  readonly tlsConfig: {
    readonly ca?: { readonly secret: { readonly name: string; readonly key: string } };
    readonly serverName?: string;
    readonly insecureSkipVerify?: boolean;
  };
}

/** The monitoring part of the chart, as somebody with the Prometheus operator installs it. */
export async function renderMonitoring(): Promise<Rendered[]> {
  const text = await renderChart({
    "monitoring.dashboards.enabled": "true",
    "monitoring.serviceMonitors.enabled": "true",
    "monitoring.rules.enabled": "true",
    "monitoring.prometheus.serviceAccount.name": scraper.name,
    "monitoring.prometheus.serviceAccount.namespace": scraper.namespace,
  });
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Rendered | null)
    .filter((object) => object !== null)
    .filter(
      ({ kind, metadata }) =>
        ["ServiceMonitor", "PrometheusRule"].includes(kind) ||
        metadata.name.startsWith("shieldx-dashboard-") ||
        metadata.name === "shieldx-metrics-reader",
    );
}

/** Installs it beside the Prometheus operator's own CRDs, which judge ServiceMonitors and rules. */
export async function installMonitoring(cluster: Cluster, objects: readonly Rendered[]): Promise<void> {
  const crds = await publishedManifest("prometheus-operator");
  for (const plural of ["servicemonitors", "prometheusrules"]) {
    const file = join(crds, `monitoring.coreos.com_${plural}.yaml`);
    await mustKubectl(cluster, ["apply", "--server-side", "-f", file]);
  }
  await mustKubectl(cluster, ["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]);
  await mustKubectl(cluster, ["create", "namespace", scraper.namespace]);
  await mustKubectl(cluster, ["create", "serviceaccount", scraper.name, "-n", scraper.namespace]);
  const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
  await mustKubectl(cluster, ["apply", "--server-side", "--validate=strict", "-f", "-"], list);
}

/** Prometheus' own configuration for what the ServiceMonitors say, with the host's processes as targets. */
export async function scrapeConfiguration(
  cluster: Cluster,
  objects: readonly Rendered[],
  shieldx: ShieldxOnHost,
  folder: string,
): Promise<object> {
  const token = await cluster.kubectl(["create", "token", scraper.name, "-n", scraper.namespace]);
  const tokenFile = join(folder, "token");
  await writeFile(tokenFile, token.stdout.trim(), { mode: 0o600 });
  const job = async (
    name: string,
    service: string,
    processes: readonly ShieldxProcess[],
  ): Promise<object> => {
    const monitor = objects.find(({ kind, metadata }) => kind === "ServiceMonitor" && metadata.name === name);
    const [endpoint] = monitor?.spec?.endpoints ?? [];
    if (endpoint === undefined) throw new Error(`the chart renders no ServiceMonitor ${name}`);
    const { ca, serverName, insecureSkipVerify } = endpoint.tlsConfig;
    const caFile =
      ca === undefined ? undefined : await secretFile(cluster, ca.secret, join(folder, `${name}.ca.crt`));
    return {
      job_name: service,
      scheme: endpoint.scheme,
      metrics_path: endpoint.path,
      authorization: { type: "Bearer", credentials_file: tokenFile },
      tls_config: {
        ...(caFile === undefined ? {} : { ca_file: caFile }),
        ...(serverName === undefined ? {} : { server_name: serverName }),
        ...(insecureSkipVerify === undefined ? {} : { insecure_skip_verify: insecureSkipVerify }),
      },
      static_configs: processes.map((process) => ({
        targets: [new URL(process.metricsUrl).host],
        labels: { namespace, pod: process.name, service },
      })),
    };
  };
  return {
    global: { scrape_interval: "1s", evaluation_interval: "1s" },
    rule_files: [join(root, "charts/shieldx/files/monitoring/alerts.yaml")],
    scrape_configs: [
      await job("shieldx-operator", "shieldx-operator-metrics", shieldx.operators),
      await job("shieldx-webhooks", "shieldx-webhooks", shieldx.webhooks),
    ],
  };
}

async function secretFile(
  cluster: Cluster,
  { name, key }: { name: string; key: string },
  file: string,
): Promise<string> {
  const path = `{.data.${key.replaceAll(".", "\\.")}}`;
  const encoded = await waitFor(`Secret ${name} with ${key}`, async () => {
    const { stdout } = await cluster.kubectl([
      "get",
      "secret",
      name,
      "-n",
      namespace,
      "-o",
      `jsonpath=${path}`,
    ]);
    return stdout;
  });
  await writeFile(file, Buffer.from(encoded, "base64"));
  return file;
}

export interface PanelQuery {
  readonly dashboard: string;
  readonly panel: string;
  readonly expr: string;
}

/** Every query of every panel, with the variables' values in place. */
export function panelQueries(variables: Readonly<Record<string, string>>): PanelQuery[] {
  const files = globSync("charts/shieldx/files/monitoring/dashboards/*.json", { cwd: root });
  return files.flatMap((file) => {
    const dashboard = JSON.parse(readFileSync(join(root, file), "utf8")) as {
      title: string;
      panels: { title: string; targets?: { expr: string }[] }[];
    };
    return dashboard.panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({
        dashboard: dashboard.title,
        panel: title,
        expr: expr.replaceAll(/\$(\w+)/g, (_, name: string) => {
          const value = variables[name];
          if (value === undefined) throw new Error(`${file}, ${title}: there is no variable ${name}`);
          return value;
        }),
      })),
    );
  });
}
