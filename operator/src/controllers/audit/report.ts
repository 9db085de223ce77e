import { LABEL, MANAGED_BY } from "@shieldx/crds";
import { FIELD_MANAGER, ownLabels } from "../../names.ts";
import type { AuditedObject, AuditFinding } from "./audit-index.ts";

export const REPORT_API_VERSION = "openreports.io/v1alpha1";

/** `openreports.io/v1alpha1` Report, the fields we write. */
export interface Report {
  readonly apiVersion: string;
  readonly kind: "Report";
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Record<string, string>;
    readonly ownerReferences: readonly {
      readonly apiVersion: string;
      readonly kind: string;
      readonly name: string;
      readonly uid: string;
    }[];
  };
  readonly source: "ShieldX";
  readonly scope: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
  };
  readonly summary: {
    readonly pass: number;
    readonly fail: number;
    readonly warn: number;
    readonly error: number;
    readonly skip: number;
  };
  readonly results: readonly ReportResult[];
}

export interface ReportResult {
  readonly source: "ShieldX";
  readonly policy: string;
  readonly rule: string;
  readonly result: "fail";
  readonly message: string;
}

export interface ReportLimits {
  readonly reports: number;
  readonly results: number;
}
export const DEFAULT_REPORT_LIMITS: ReportLimits = { reports: 1000, results: 100 };
const MESSAGE_LIMIT = 1024;

/** Deterministic: one object has one report, and a re-created object (another uid) has another. */
export function reportName(uid: string): string {
  return `shieldx-${uid}`;
}

/** The report of one offending object. Carries no time, so that an unchanged judgement is an unchanged report. */
export function reportOf(
  object: AuditedObject,
  findings: readonly AuditFinding[],
  limits: ReportLimits = DEFAULT_REPORT_LIMITS,
): Report {
  const results = findings
    .flatMap((finding) => resultsOf(finding))
    .sort((a, b) => (`${a.policy}/${a.rule}` < `${b.policy}/${b.rule}` ? -1 : 1));
  const reference = {
    apiVersion: object.apiVersion,
    kind: object.kind,
    name: object.name,
    uid: object.uid,
  };
  return {
    apiVersion: REPORT_API_VERSION,
    kind: "Report",
    metadata: {
      name: reportName(object.uid),
      namespace: object.namespace,
      labels: ownLabels(),
      ownerReferences: [reference],
    },
    source: "ShieldX",
    scope: { ...reference, namespace: object.namespace },
    summary: { pass: 0, fail: results.length, warn: 0, error: 0, skip: 0 },
    results: results.slice(0, limits.results),
  };
}

function resultsOf(finding: AuditFinding): ReportResult[] {
  const base = { source: "ShieldX", policy: finding.policy, result: "fail" } as const;
  if (finding.violations.length === 0) {
    return [{ ...base, rule: "policy", message: bounded(finding.message) }];
  }
  return finding.violations.map((violation) => ({
    ...base,
    rule: violation.checkId,
    message: bounded(violation.detail),
  }));
}

function bounded(text: string): string {
  return text.length <= MESSAGE_LIMIT ? text : `${text.slice(0, MESSAGE_LIMIT - 1)}…`;
}

/** What of an existing report is compared: a text that changes exactly when the report has to be written again. */
export function reportContent(report: Readonly<Record<"results" | "summary" | "scope", unknown>>): string {
  return JSON.stringify(sortKeys([report.summary ?? {}, report.scope ?? {}, report.results ?? []]));
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, below]) => [key, sortKeys(below)]),
  );
}

export interface ExistingReport {
  readonly namespace: string;
  readonly name: string;
  readonly content: string;
}

export interface ReportPlan {
  readonly write: readonly Report[];
  readonly remove: readonly { readonly namespace: string; readonly name: string }[];
  /** Offending objects that have no report because the cap is reached. */
  readonly withoutReport: number;
}

/**
 * Which reports to write and to remove. Objects that have a report keep it while they offend; free places go to the
 * others in order of their uid, so that two runs over the same cluster choose the same ones.
 */
export function planReports(
  offenders: readonly { readonly object: AuditedObject; readonly findings: readonly AuditFinding[] }[],
  existing: readonly ExistingReport[],
  limits: ReportLimits = DEFAULT_REPORT_LIMITS,
): ReportPlan {
  const existingByName = new Map(existing.map((report) => [report.name, report]));
  const reported = offenders.filter(({ object }) => existingByName.has(reportName(object.uid)));
  let chosen = reported;
  if (reported.length < limits.reports) {
    const others = offenders.filter(({ object }) => !existingByName.has(reportName(object.uid)));
    others.sort((a, b) => (a.object.uid < b.object.uid ? -1 : 1));
    chosen = [...reported, ...others];
  }
  const kept = new Set<string>();
  const write: Report[] = [];
  for (const { object, findings } of chosen.slice(0, limits.reports)) {
    const report = reportOf(object, findings, limits);
    kept.add(report.metadata.name);
    if (existingByName.get(report.metadata.name)?.content !== reportContent(report)) write.push(report);
  }
  return {
    write,
    remove: existing
      .filter((report) => !kept.has(report.name))
      .map(({ namespace, name }) => ({ namespace, name })),
    withoutReport: Math.max(0, offenders.length - limits.reports),
  };
}

export const REPORT_FIELD_MANAGER = FIELD_MANAGER.audit;
export const REPORT_SELECTOR = `${LABEL.managedBy}=${MANAGED_BY}`;
