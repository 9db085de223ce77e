import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Cluster, startCluster } from "../../e2e/cluster/index.ts";
import { scrape, scraperToken, sum } from "../../e2e/shieldx/metrics.ts";
import { apply, podSecurityPolicy, read } from "../../e2e/shieldx/objects.ts";
import { waitFor } from "../../e2e/shieldx/wait.ts";
import { Gatekeeper } from "../admission/peers/gatekeeper.ts";
import { templatesByRule } from "../admission/rules/templates.ts";
import { startShipped } from "../admission/shipped.ts";
import { type BenchLine, compared } from "../lib/line.ts";
import { type AuditCost, Meter } from "./meter.ts";
import { type Population, seed } from "./seed.ts";

const longestMs = 3_600_000;

/** One full audit of everything, by ShieldX and by Gatekeeper, of a cluster where a tenth of the Pods offends. */
export async function benchAudit(options: {
  readonly withGatekeeper: boolean;
  readonly isQuick: boolean;
}): Promise<BenchLine[]> {
  const pods = Number(process.env.PODS ?? (options.isQuick ? 2_000 : 100_000));
  const population = { pods, nodes: Math.ceil(pods / 100), namespaces: 20 };
  await using cluster = await startCluster({ name: `bench-audit-${process.pid}`, audit: true });
  const began = performance.now();
  await seed(cluster, population);
  console.error(`${pods} Pods seeded in ${Math.round((performance.now() - began) / 1000)} s`);
  const ours = await auditByShieldx(cluster, population);
  console.error("shieldx   ", ours);
  if (!options.withGatekeeper) return [];
  const theirs = await auditByGatekeeper(cluster, population);
  console.error("gatekeeper", theirs);
  const row = (name: string, unit: string, key: keyof AuditCost): BenchLine[] =>
    compared({ name, unit, better: "less", ours: ours[key], peers: { gatekeeper: theirs[key] } });
  const of = `audit of ${pods.toLocaleString("en")} Pods`;
  return [
    ...row(`${of}: time`, "s", "seconds"),
    ...row(`${of}: peak RSS`, "MiB", "peakRssMiB"),
    ...row(`${of}: CPU`, "s", "cpuSeconds"),
    ...row(`${of}: CPU of the API server`, "s", "apiServerCpuSeconds"),
    ...row(`${of}: API requests`, "", "requests"),
    ...row(`${of}: read from the API`, "MiB", "mebibytes"),
  ];
}

interface Counts {
  readonly status?: {
    readonly counts?: {
      readonly checked: number;
      readonly violating: number;
      readonly lastScanTime?: string;
    };
  };
}

async function auditByShieldx(cluster: Cluster, { pods }: Population): Promise<AuditCost> {
  const shieldx = await startShipped(cluster, { webhooks: 0 });
  try {
    const operator = shieldx.operators[0];
    if (operator === undefined) throw new Error("no operator runs");
    const token = await scraperToken(cluster);
    await scrape(operator, token);
    const meter = await Meter.start(cluster, operator.pid, "shieldx-operator");
    const outcome = await apply(
      cluster,
      podSecurityPolicy("bench-audit", {
        podSecurity: { level: "restricted" },
        matchConstraints: {
          resourceRules: [
            { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["pods"] },
          ],
        },
        actions: { admission: "off", background: "audit" },
      }),
    );
    if (!outcome.allowed) throw new Error(`the policy was refused: ${outcome.message}`);
    const counts = await waitFor(
      "the audit's counts",
      async () => {
        const found = (await read<Counts>(cluster, "shieldpolicy", "bench-audit"))?.status?.counts;
        return found?.lastScanTime !== undefined && found.checked >= pods ? found : undefined;
      },
      { timeoutMs: longestMs, everyMs: 250 },
    );
    const cost = await meter.stop();
    if (counts.checked !== pods || counts.violating !== pods / 10) {
      throw new Error(`ShieldX counted ${JSON.stringify(counts)} of ${pods}`);
    }
    const lag = (await scrape(operator, token)).filter(
      ({ name }) => name === "nodejs_eventloop_lag_max_seconds",
    );
    console.error(`longest the operator's event loop was held: ${Math.round(sum(lag) * 1000)} ms`);
    return cost;
  } finally {
    await shieldx.stop();
  }
}

interface ConstraintStatus {
  readonly status?: { readonly totalViolations?: number; readonly auditTimestamp?: string };
}

async function auditByGatekeeper(cluster: Cluster, { pods }: Population): Promise<AuditCost> {
  const gatekeeper = await Gatekeeper.install(cluster);
  const generator = await gatekeeper.start(["audit", "generate", "status"], ["--audit-interval=0"]);
  const rules = templatesByRule(["seed-*"]);
  await gatekeeper.applyRules(rules);
  await generator.stop();
  const folder = join(cluster.dir, "gatekeeper-audit");
  await mkdir(folder, { recursive: true });
  // Only Pods, as for us; otherwise as published. The first audit begins one interval after the start.
  const process = await gatekeeper.start(
    ["audit", "status"],
    ["--audit-interval=1", "--audit-match-kind-only=true", `--api-cache-dir=${folder}`],
  );
  try {
    const meter = await Meter.start(cluster, process.pid, "gatekeeper-admin");
    const kind = String(rules[0]?.constraint.kind);
    const status = await waitFor(
      "Gatekeeper's audit",
      async () => {
        const found = (await read<ConstraintStatus>(cluster, kind.toLowerCase(), "host-namespaces"))?.status;
        return found?.auditTimestamp === undefined ? undefined : found;
      },
      { timeoutMs: longestMs, everyMs: 250 },
    );
    const cost = await meter.stop();
    if (status.totalViolations !== pods / 10) {
      throw new Error(`Gatekeeper counted ${status.totalViolations} offenders of ${pods} Pods`);
    }
    return cost;
  } finally {
    await process.stop();
  }
}
