import { painted, table } from "../output/table.ts";
import { paint, type Terminal } from "../output/terminal.ts";
import { printable } from "../printable.ts";
import type { StatusReport } from "./collect.ts";

function days(n: number | undefined): string {
  return n === undefined ? "unknown" : `${n} days left`;
}

function loadedBy(report: StatusReport): string {
  const total = report.webhookReplicas.length;
  if (total === 0) return "none reports";
  const counts = new Map<string, number>();
  for (const replica of report.webhookReplicas)
    counts.set(replica.policySet, (counts.get(replica.policySet) ?? 0) + 1);
  const [digest, most] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? ["", 0];
  return `${total} serving, policy set ${digest.slice(0, 12) || "none"} loaded by ${most}/${total}`;
}

/** The report as a person reads it. */
export function printStatus(report: StatusReport, terminal: Terminal): void {
  const verdict = report.healthy
    ? paint(terminal, "green", "healthy")
    : paint(terminal, "red", "needs attention");
  terminal.out(`ShieldX in ${report.namespace}: ${verdict}\n`);
  for (const problem of report.problems)
    terminal.out(`  ${paint(terminal, "yellow", "!")} ${printable(problem)}\n`);
  const leaves = report.webhookReplicas.map((r) => r.leafDaysLeft).filter((d) => d !== undefined);
  const facts: [string, string][] = [
    ["Kubernetes", report.kubernetes],
    ["Kinds", report.crds.map((c) => `${c.name.split(".")[0]} ${c.versions.join(",")}`).join(", ") || "none"],
    ...report.deployments.map((d): [string, string] => [d.name, `${d.ready}/${d.wanted} ready, ${d.image}`]),
    [
      "Leader",
      report.operator.leader === undefined
        ? "none"
        : `${report.operator.leader}, renewed ${report.operator.renewedSecondsAgo} s ago`,
    ],
    ["Webhooks", loadedBy(report)],
    [
      "Certificates",
      `CA ${days(report.caDaysLeft)}, leaf ${days(leaves.length === 0 ? undefined : Math.min(...leaves))}`,
    ],
    ...report.objects.map(({ kind, total, notReady }): [string, string] => [
      kind,
      `${total}, ${notReady === 0 ? "all well" : `${notReady} not ready`}`,
    ]),
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  for (const [name, value] of facts) terminal.out(`  ${name.padEnd(width)}   ${value}\n`);
  if (report.policies.length === 0) {
    if (report.installed) terminal.out("\nNo ShieldPolicy yet. A first one to paste is in the README.\n");
    return;
  }
  terminal.out("\n");
  terminal.out(
    table(
      ["policy", "engine", "admission", "enforced by", "loaded", "violating", "ready"],
      report.policies.map((p) => [
        p.name,
        p.engine,
        p.admission,
        p.enforcedBy,
        p.loadedBy,
        p.violating === undefined ? "-" : String(p.violating),
        p.ready === "True"
          ? painted(terminal, "green", "True")
          : painted(terminal, "red", `${p.ready} (${p.reason})`),
      ]),
    ),
  );
}
