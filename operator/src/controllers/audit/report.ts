import { createHash } from "node:crypto";
import type { KubeObject } from "@shieldx/controller-runtime";
import { LABEL, MANAGED_BY } from "@shieldx/crds";
import { FIELD_MANAGER, ownLabels } from "../../names.ts";
import type { NamespaceAudit } from "./audit-index.ts";
import { type AuditedObject, auditKey } from "./audited-object.ts";
import {
  byPolicy,
  type CountingResult,
  fitting,
  numeral,
  type ReportResult,
  type ReportResults,
  type ResultLimits,
} from "./report-results.ts";

export const REPORT_API_VERSION = "openreports.io/v1alpha1";
export const REPORT_FIELD_MANAGER = FIELD_MANAGER.audit;
export const REPORT_SELECTOR = `${LABEL.managedBy}=${MANAGED_BY}`;
/** Name of the Report that sums up a namespace. */
export const SUMMARY_NAME = "shieldx-summary";

/** `openreports.io/v1alpha1` Report, the fields we write. Carries no time, so that equal findings are an equal Report. */
export interface Report {
  readonly apiVersion: string;
  readonly kind: "Report";
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Record<string, string>;
    readonly ownerReferences?: readonly {
      readonly apiVersion: string;
      readonly kind: string;
      readonly name: string;
      readonly uid: string;
    }[];
  };
  readonly source: "ShieldX";
  readonly scope: Readonly<Record<"apiVersion" | "kind" | "name", string>> &
    Readonly<Partial<Record<"namespace" | "uid", string>>>;
  readonly configuration: {
    readonly limits: { readonly maxResults: number; readonly statusFilter: readonly ["fail", "warn"] };
  };
  readonly summary: Readonly<Record<"pass" | "fail" | "warn" | "error" | "skip", number>>;
  readonly results: readonly ReportResult[];
}

/** As the API server makes them (RFC 9562). */
const realUid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * Deterministic: one object has one report, and a re-created object (another uid) has another. Objects of an aggregated
 * API may have any uid or none: theirs are named by a digest.
 */
export function reportName(object: AuditedObject): string {
  return `shieldx-${realUid.test(object.uid) ? object.uid : digestOf(auditKey(object)).slice(0, 32)}`;
}

/** Key of the object that an existing report is about; undefined for one that sums up. */
export function reportedKey(report: KubeObject & { readonly scope?: unknown }): string | undefined {
  const { name } = report.metadata;
  if (name === SUMMARY_NAME) return undefined;
  const uid = name.slice("shieldx-".length);
  if (realUid.test(uid)) return uid;
  const scope = (report.scope ?? {}) as Partial<AuditedObject>;
  const { apiVersion = "", kind = "", namespace = "" } = scope;
  return auditKey({ apiVersion, kind, namespace, name: scope.name ?? "", uid: scope.uid ?? "" });
}

/** The report of one offending object. */
export function reportOf(object: AuditedObject, found: ReportResults, limits: ResultLimits): Report {
  const { apiVersion, kind, name, namespace, uid } = object;
  const reference = { apiVersion, kind, name, uid };
  return {
    ...reportBase(reportName(object), namespace, found, limits),
    metadata: {
      name: reportName(object),
      namespace,
      labels: ownLabels(),
      ...(realUid.test(uid) ? { ownerReferences: [reference] } : {}),
    },
    scope: { apiVersion, kind, name, namespace, ...(uid === "" ? {} : { uid }) },
  };
}

/** What a namespace has beside the Reports of its objects: exact counts of everything that offends in it. */
export function summaryOf(
  namespace: string,
  audit: NamespaceAudit,
  resultOf: (policy: string) => "fail" | "warn",
  reported: number,
  limits: ResultLimits,
): Report {
  const count = { fail: 0, warn: 0 };
  const entries: CountingResult[] = [];
  for (const policy of [...audit.policies.keys()].sort(byPolicy)) {
    const { objects = 0, findings = 0 } = audit.policies.get(policy) ?? {};
    const result = resultOf(policy);
    count[result] += findings;
    const message = `${counted(objects, "object")} of this namespace ${objects === 1 ? "breaks" : "break"} it, with ${counted(findings, "finding")}`;
    const properties = { objects: String(objects), findings: String(findings) };
    entries.push({ source: "ShieldX", policy, rule: "summary", result, message, properties });
  }
  const omitted = audit.objects.size - reported;
  const message = `${counted(audit.objects.size, "object")} of this namespace offend; ${numeral(omitted)} of them have no Report of their own, because as many are kept as --audit-reports and --audit-reports-per-namespace of the operator allow. The counts here are of all`;
  const about: ReportResult = {
    source: "ShieldX",
    policy: "(all)",
    rule: "summary",
    result: count.fail > 0 ? "fail" : "warn",
    message,
    properties: { objects: String(audit.objects.size), withoutReport: String(omitted) },
  };
  const room = { results: limits.results - 1, bytes: limits.bytes - 1024 };
  const results = [about, ...fitting(entries, room)];
  return {
    ...reportBase(SUMMARY_NAME, namespace, { ...count, results }, limits),
    scope: { apiVersion: "v1", kind: "Namespace", name: namespace },
  };
}

function reportBase(
  name: string,
  namespace: string,
  { fail, warn, results }: ReportResults,
  { results: maxResults }: ResultLimits,
): Omit<Report, "scope"> {
  return {
    apiVersion: REPORT_API_VERSION,
    kind: "Report",
    metadata: { name, namespace, labels: ownLabels() },
    source: "ShieldX",
    configuration: { limits: { maxResults, statusFilter: ["fail", "warn"] } },
    summary: { pass: 0, fail, warn, error: 0, skip: 0 },
    results,
  };
}

function counted(count: number, noun: string): string {
  return `${numeral(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** Changes exactly when the report has to be written again; of one of ours or of what the API server has. */
export function reportDigest(
  report: Readonly<Partial<Record<"results" | "summary" | "scope" | "configuration" | "source", unknown>>>,
): string {
  const { source = "", summary = {}, scope = {}, configuration = {}, results = [] } = report;
  return digestOf(JSON.stringify(sortKeys([source, summary, scope, configuration, results])));
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
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
