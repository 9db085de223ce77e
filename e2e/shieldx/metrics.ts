// Reads what Prometheus would: the text format of /metrics, of API servers and of ShieldX's own processes.
import { request } from "node:https";
import type { Client } from "@shieldx/controller-runtime";
import type { Cluster } from "../cluster/index.ts";
import type { ShieldxProcess } from "./host.ts";

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The samples of the Prometheus text format; comments are skipped. */
export function parseMetrics(text: string): Sample[] {
  const samples: Sample[] = [];
  for (const line of text.split("\n")) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
    if (match === null) continue;
    const labels: Record<string, string> = {};
    for (const pair of (match[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g))
      labels[pair[1] ?? ""] = pair[2] ?? "";
    samples.push({ name: match[1] ?? "", labels, value: Number(match[3]) });
  }
  return samples;
}

export function sum(samples: readonly Sample[]): number {
  return samples.reduce((total, { value }) => total + value, 0);
}

export async function apiServerMetrics(client: Client): Promise<Sample[]> {
  return parseMetrics((await client.request("GET", "/metrics")).body);
}

const scraper = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: scraper, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: scraper}
rules: [{nonResourceURLs: [/metrics], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: scraper}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: scraper}
subjects: [{kind: ServiceAccount, name: scraper, namespace: default}]
`;

/** A bearer token of a ServiceAccount that may read metrics and nothing else. */
export async function scraperToken(cluster: Cluster, duration = "12h"): Promise<string> {
  const applied = await cluster.kubectl(["apply", "-f", "-"], { input: scraper });
  if (applied.code !== 0) throw new Error(`no ServiceAccount for metrics: ${applied.stderr}`);
  const created = await cluster.kubectl(["create", "token", "scraper", "--duration", duration]);
  if (created.code !== 0) throw new Error(`no token for metrics: ${created.stderr}`);
  return created.stdout.trim();
}

/** Metrics of one of our processes on this host. Its certificate for metrics is self-signed, so it is not verified. */
export async function scrape(target: ShieldxProcess, token: string): Promise<Sample[]> {
  const text = await new Promise<string>((resolve, reject) => {
    const outgoing = request(
      target.metricsUrl,
      {
        rejectUnauthorized: false,
        headers: { authorization: `Bearer ${token}` },
        timeout: 10_000,
        agent: false,
      },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          body += chunk;
        });
        response.once("end", () => {
          if (response.statusCode === 200) resolve(body);
          else reject(new Error(`${target.name}: GET /metrics answered ${response.statusCode}`));
        });
        response.once("error", reject);
      },
    );
    outgoing
      .once("error", reject)
      .once("timeout", () => outgoing.destroy(new Error("no metrics within 10 s")));
    outgoing.end();
  });
  return parseMetrics(text);
}
