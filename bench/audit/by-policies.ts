import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Cluster, openEtcd, startCluster } from "../../e2e/cluster/index.ts";
import type { ShieldxProcess } from "../../e2e/shieldx/host.ts";
import { type Sample, scrape, scraperToken } from "../../e2e/shieldx/metrics.ts";
import type { Manifest } from "../../e2e/shieldx/objects.ts";
import { read } from "../../e2e/shieldx/objects.ts";
import { waitFor } from "../../e2e/shieldx/wait.ts";
import { Gatekeeper } from "../admission/peers/gatekeeper.ts";
import { startShipped } from "../admission/shipped.ts";
import { type BenchLine, compared } from "../lib/line.ts";
import { gatekeeperRules, type Language, shieldPolicies } from "./host-network-rules.ts";
import { type AuditCost, Meter } from "./meter.ts";
import { type Population, seed } from "./seed.ts";

interface Outcome {
  /** Until every policy's counts were there and right. */
  readonly seconds: number;
  /** Until everything was written that is. */
  readonly all: AuditCost;
  readonly etcdKiB: number;
  /** Of one more audit that finds the same. */
  readonly again: AuditCost;
}

export interface ByPoliciesOptions {
  readonly pods: number;
  readonly policies: number;
  readonly withGatekeeper: boolean;
}

const longestMs = 7_200_000;
const within = { timeoutMs: longestMs, everyMs: 500 };
/** Of the operator's writes those of its audit: its certificates and conditions are no part of what is compared. */
const auditWrites = /fieldManager=shieldx-audit|"verb":"delete".*"resource":"reports"/;
/** What the chart lets the operator have. */
const memoryLimitMiB = 768;
/** Most Reports by default, of objects and of namespaces, of at most 36 KiB. */
const mostReports = 2_000;

/** An audit of everything by many policies, all of which a tenth of the Pods breaks, and one more that finds the same. */
export async function benchByPolicies(options: ByPoliciesOptions): Promise<BenchLine[]> {
  const { pods, policies, withGatekeeper } = options;
  const population = { pods, nodes: Math.ceil(pods / 100), namespaces: 20 };
  await using cluster = await startCluster({ name: `bench-audit-${process.pid}`, audit: true });
  await seed(cluster, population);
  console.error(`${pods} Pods seeded`);
  const theirs = withGatekeeper ? await byGatekeeper(cluster, population, policies) : undefined;
  if (theirs !== undefined) console.error("gatekeeper", theirs);
  const lines: BenchLine[] = [];
  for (const language of ["cel", "rego"] as const) {
    const ours = await byShieldx(cluster, population, policies, language);
    console.error(`shieldx, ${language}`, ours);
    const of = `${pods.toLocaleString("en")} Pods by ${policies} policies in ${language === "cel" ? "CEL" : "Rego"}`;
    const row = (
      name: string,
      unit: string,
      value: (outcome: Outcome) => number,
      goal?: number,
    ): BenchLine[] =>
      compared({
        name: `${of}: ${name}`,
        unit,
        better: "less",
        ours: value(ours),
        peers: {
          ...(theirs === undefined ? {} : { gatekeeper: value(theirs) }),
          ...(goal === undefined ? {} : { goal }),
        },
      });
    lines.push(
      ...row("time", "s", ({ seconds }) => seconds),
      ...row("CPU", "s", ({ all }) => all.cpuSeconds),
      ...row("CPU of the API server", "s", ({ all }) => all.apiServerCpuSeconds),
      ...row("peak RSS", "MiB", ({ all }) => all.peakRssMiB, memoryLimitMiB),
      ...row("API writes", "", ({ all }) => all.writes, mostReports + 20 * policies),
      ...row("held in etcd", "KiB", ({ etcdKiB }) => etcdKiB, mostReports * 36 + 10 * policies),
      ...row("once more, API writes", "", ({ again }) => again.writes, 0),
      ...row("once more, CPU", "s", ({ again }) => again.cpuSeconds),
    );
  }
  return lines;
}

interface AuditedPolicy {
  readonly metadata: { readonly name: string };
  readonly status?: {
    readonly counts?: {
      readonly checked?: number;
      readonly violating?: number;
      readonly lastScanTime?: string;
    };
  };
}

async function byShieldx(
  cluster: Cluster,
  { pods }: Population,
  count: number,
  language: Language,
): Promise<Outcome> {
  const shieldx = await startShipped(cluster, { webhooks: 0 });
  try {
    const [operator] = shieldx.operators;
    if (operator === undefined) throw new Error("no operator runs");
    const token = await scraperToken(cluster);
    const before = await heldInEtcd(cluster, ["openreports.io", "shieldx.io"]);
    let isMeant = false;
    const ended = operator.exited.then(async (code) => {
      if (isMeant) return;
      const log = (await readFile(operator.logFile, "utf8")).trimEnd().split("\n").slice(-5).join("\n");
      throw new Error(`the operator ended with code ${code}:\n${log}`);
    });
    ended.catch(() => undefined);
    const meter = await Meter.start(cluster, operator.pid, "shieldx-operator", auditWrites);
    const began = performance.now();
    await applyAll(cluster, shieldPolicies(language, count));
    const counted = waitFor(
      "the audit's counts",
      async () => {
        const { items = [] } = (await read<{ items: AuditedPolicy[] }>(cluster, "shieldpolicies")) ?? {};
        const done = items.filter(
          ({ status }) => status?.counts?.lastScanTime !== undefined && status.counts.checked === pods,
        );
        const wrong = done.find(({ status }) => status?.counts?.violating !== pods / 10);
        if (wrong !== undefined) throw new Error(`ShieldX counted ${JSON.stringify(wrong)} of ${pods}`);
        return done.length === count;
      },
      within,
    );
    await Promise.race([counted, ended]);
    const seconds = (performance.now() - began) / 1000;
    await Promise.race([untilStill(operator, token), ended]);
    const all = await meter.stop();
    const etcdKiB = ((await heldInEtcd(cluster, ["openreports.io", "shieldx.io"])) - before) / 1024;
    isMeant = true;
    await operator.stop();
    const next = await shieldx.startOperator();
    const second = await Meter.start(cluster, next.pid, "shieldx-operator", auditWrites);
    await waitFor(
      "the audit of an operator that starts",
      async () => amount(await scrape(next, token), "shieldx_audit_judged_objects_total") >= pods,
      within,
    );
    await untilStill(next, token);
    const again = await second.stop();
    await mustDelete(cluster, "shieldpolicies");
    await waitFor(
      "no Reports",
      async () => amount(await scrape(next, token), "shieldx_audit_reports") === 0,
      within,
    );
    return { seconds, all, etcdKiB, again };
  } finally {
    await shieldx.stop();
  }
}

/** Until nothing is left to judge, and for ten seconds no Report was written. */
async function untilStill(operator: ShieldxProcess, token: string): Promise<void> {
  let [last, since] = [-1, performance.now()];
  await waitFor(
    "everything written",
    async () => {
      const samples = await scrape(operator, token);
      const writes = amount(samples, "shieldx_audit_report_writes_total");
      const isStill = writes === last && amount(samples, "shieldx_audit_pending_objects") === 0;
      if (!isStill) [last, since] = [writes, performance.now()];
      return performance.now() - since > 10_000;
    },
    within,
  );
}

function amount(samples: readonly Sample[], metric: string): number {
  return samples.filter(({ name }) => name === metric).reduce((sum, { value }) => sum + value, 0);
}

interface Constraint {
  readonly status?: { readonly totalViolations?: number; readonly auditTimestamp?: string };
}

async function byGatekeeper(cluster: Cluster, { pods }: Population, count: number): Promise<Outcome> {
  const gatekeeper = await Gatekeeper.install(cluster);
  const generator = await gatekeeper.start(["audit", "generate", "status"], ["--audit-interval=0"]);
  const rules = gatekeeperRules(count, ["seed-*"]);
  await gatekeeper.applyRules(rules);
  await generator.stop();
  const folder = join(cluster.dir, "gatekeeper-audit");
  await mkdir(folder, { recursive: true });
  const before = await heldInEtcd(cluster, ["constraints.gatekeeper.sh", "status.gatekeeper.sh"]);
  // Only Pods, as for us; otherwise as published. The first audit begins one interval after the start.
  const auditor = await gatekeeper.start(
    ["audit", "status"],
    ["--audit-interval=1", "--audit-match-kind-only=true", `--api-cache-dir=${folder}`],
  );
  const kind = String(rules[0]?.constraint.kind).toLowerCase();
  const stamps = async (): Promise<string[]> => {
    const { items = [] } = (await read<{ items: Constraint[] }>(cluster, kind)) ?? {};
    const done = items.filter(({ status }) => status?.auditTimestamp !== undefined);
    const wrong = done.find(({ status }) => status?.totalViolations !== pods / 10);
    if (wrong !== undefined)
      throw new Error(`Gatekeeper counted ${wrong.status?.totalViolations} of ${pods} Pods`);
    return done.map(({ status }) => String(status?.auditTimestamp));
  };
  const untilAudited = (before: string): Promise<string> =>
    waitFor(
      "Gatekeeper's audit",
      async () => {
        const found = await stamps();
        return found.length === count && found.every((stamp) => stamp > before)
          ? found.sort().at(-1)
          : undefined;
      },
      within,
    );
  try {
    const meter = await Meter.start(cluster, auditor.pid, "gatekeeper-admin");
    const first = await untilAudited("");
    const all = await meter.stop();
    const held = await heldInEtcd(cluster, ["constraints.gatekeeper.sh", "status.gatekeeper.sh"]);
    const second = await Meter.start(cluster, auditor.pid, "gatekeeper-admin");
    await untilAudited(first);
    return { seconds: all.seconds, all, etcdKiB: (held - before) / 1024, again: await second.stop() };
  } finally {
    await auditor.stop();
  }
}

async function heldInEtcd(cluster: Cluster, groups: readonly string[]): Promise<number> {
  using etcd = await openEtcd(cluster);
  let bytes = 0;
  for (const group of groups) bytes += (await etcd.held(`/registry/${group}/`)).bytes;
  return bytes;
}

async function applyAll(cluster: Cluster, manifests: readonly Manifest[]): Promise<void> {
  const input = manifests.map((manifest) => JSON.stringify(manifest)).join("\n---\n");
  const { code, stderr } = await cluster.kubectl(["apply", "--server-side", "-f", "-"], { input });
  if (code !== 0) throw new Error(`the policies were refused: ${stderr}`);
}

async function mustDelete(cluster: Cluster, kind: string): Promise<void> {
  const { code, stderr } = await cluster.kubectl(["delete", kind, "--all"]);
  if (code !== 0) throw new Error(`kubectl delete ${kind}: ${stderr}`);
}
