import { policyTitle } from "@shieldx/crds";
import { checkManifests, type LocatedFinding, type OfflineReport } from "@shieldx/policy-engine";
import { UsageError } from "../errors.ts";
import { readManifests } from "../manifests/read.ts";
import { type SarifFinding, sarif } from "../output/sarif.ts";
import { painted, table } from "../output/table.ts";
import { progress, type Style, type Terminal } from "../output/terminal.ts";
import { shieldctlVersion } from "../version.ts";
import { compiledRego } from "./compiled-rego.ts";
import { loadPolicies } from "./load.ts";

export interface PolicyCheckOptions {
  readonly file: readonly string[];
  readonly policies: readonly string[];
  /** Where namespaced objects without a namespace will go. */
  readonly namespace: string;
  readonly kubernetesVersion: string;
  /** The Rego compiler's module; left out: SHIELDX_REGO_COMPILER, or beside the program. */
  readonly regoCompiler?: string;
  readonly failOn: "deny" | "warn" | "none";
  readonly output: "table" | "json" | "sarif";
}

const sarifLevel = { deny: "error", warn: "warning", audit: "note" } as const;
const actionStyle: Record<LocatedFinding["action"], Style> = { deny: "red", warn: "yellow", audit: "dim" };

/** The minor of `1.37`, `v1.37` or `v1.37.2`. Throws UsageError. */
export function minorOf(version: string): number {
  const minor = /^v?1\.(\d{1,3})(\.\d+)?$/.exec(version)?.[1];
  if (minor === undefined)
    throw new UsageError("InvalidVersion", `--kubernetes-version ${version}: write it as 1.37`);
  return Number(minor);
}

/** The manifests this command reads carry file and line; only objects given by other callers may not. */
function place(finding: LocatedFinding): { file: string; line: number } {
  return { file: finding.manifest.file ?? "", line: finding.manifest.line ?? 1 };
}

function objectName(finding: LocatedFinding): string {
  const { kind, metadata } = finding.manifest.object as {
    kind?: string;
    metadata?: { namespace?: string; name?: string };
  };
  const namespace = metadata?.namespace === undefined ? "" : `${metadata.namespace}/`;
  return `${kind} ${namespace}${metadata?.name ?? ""}`;
}

function asSarif(finding: LocatedFinding): SarifFinding {
  return {
    ruleId: finding.policy,
    level: sarifLevel[finding.action],
    message: finding.message,
    ...place(finding),
  };
}

function summary(report: OfflineReport): string {
  const count = (action: string) => report.findings.filter((f) => f.action === action).length;
  const parts = [
    `${report.checked} objects checked`,
    `${count("deny")} denied`,
    `${count("warn")} warned`,
    `${count("audit")} audited`,
  ];
  if (report.exempted.length > 0) parts.push(`${report.exempted.length} exempted`);
  if (report.skipped.length > 0) parts.push(`${report.skipped.length} no policy is about`);
  return `${parts.join(", ")}\n`;
}

/** A reason that only names the kind of refusal says nothing to a person. */
function whyOf(
  { statusReason }: LocatedFinding,
  { reason, detail }: LocatedFinding["violations"][number],
): string {
  return reason === statusReason ? detail : `${reason} (${detail})`;
}

function printTable(report: OfflineReport, terminal: Terminal): void {
  if (report.findings.length > 0) {
    const rows = report.findings.map((finding) => {
      const { file, line } = place(finding);
      const why = finding.violations.map((violation) => whyOf(finding, violation)).join("; ");
      return [
        `${file}:${line}`,
        objectName(finding),
        finding.policy,
        painted(terminal, actionStyle[finding.action], finding.action),
        why || finding.message,
      ];
    });
    terminal.out(table(["where", "object", "policy", "action", "why"], rows));
  }
  terminal.err(summary(report));
}

function printJson(report: OfflineReport, terminal: Terminal): void {
  const findings = report.findings.map((finding) => ({
    ...place(finding),
    object: objectName(finding),
    policy: finding.policy,
    action: finding.action,
    code: finding.code,
    message: finding.message,
    violations: finding.violations,
  }));
  const { checked, notOffline } = report;
  terminal.out(
    `${JSON.stringify({ checked, skipped: report.skipped.length, exempted: report.exempted.length, notOffline, findings }, null, 2)}\n`,
  );
}

function exitCode(report: OfflineReport, failOn: PolicyCheckOptions["failOn"]): number {
  if (failOn === "none") return 0;
  return report.findings.some((f) => f.action === "deny" || (failOn === "warn" && f.action === "warn"))
    ? 1
    : 0;
}

/** `shieldctl policy check`. 0 when nothing is refused, 1 when something is; UsageError for input that cannot be read. */
export async function runPolicyCheck(options: PolicyCheckOptions, terminal: Terminal): Promise<number> {
  const serverMinor = minorOf(options.kubernetesVersion);
  const clear = progress(terminal, "judging manifests …");
  const read = async () => {
    const loaded = await loadPolicies(options.policies);
    const objects = await readManifests(options.file);
    return { ...loaded, objects, rego: await compiledRego(loaded.policies, options.regoCompiler) };
  };
  const report = checkManifests({
    ...(await read().finally(clear)),
    defaultNamespace: options.namespace,
    serverMinor,
    now: Date.now(),
  });
  const [problem] = report.problems;
  if (problem !== undefined)
    throw new UsageError("InvalidPolicy", `${problem.kind} "${problem.name}": ${problem.error.message}`);
  for (const name of report.notOffline) {
    terminal.err(
      `note: ${policyTitle(name)} is not checked offline: give its parameter objects with --file or beside the policy; one that looks at who asks, calls hosts, asks registries, merges lists or is made of a bundle needs a cluster\n`,
    );
  }
  if (options.output === "json") printJson(report, terminal);
  else if (options.output === "sarif") terminal.out(sarif(shieldctlVersion, report.findings.map(asSarif)));
  else printTable(report, terminal);
  return exitCode(report, options.failOn);
}
