import { namespaceOfPolicy } from "@shieldx/crds";
import { flatCopy, shownText } from "@shieldx/policy-engine";
import type { AuditFinding, AuditViolation } from "./finding.ts";

/** An entry of `results` of an `openreports.io/v1alpha1` Report, the fields we write. */
export interface ReportResult {
  readonly source: "ShieldX";
  readonly policy: string;
  readonly rule: string;
  readonly result: "fail" | "warn";
  readonly message: string;
  readonly properties?: Readonly<Record<string, string>>;
}

/** Stands for as many findings as it says. */
export type CountingResult = ReportResult & { readonly properties: { readonly findings: string } };

/** What a Report says of what it is about; the counts are of everything, whatever `results` leave out. */
export interface ReportResults {
  readonly fail: number;
  readonly warn: number;
  readonly results: readonly ReportResult[];
}

/** How much one Report may hold. */
export interface ResultLimits {
  /** Entries of `results`. */
  readonly results: number;
  /** Of all entries together, as JSON in UTF-8. */
  readonly bytes: number;
}
export const DEFAULT_RESULT_LIMITS: ResultLimits = { results: 100, bytes: 32_768 };

const messageLimit = 1024;
const ruleLimit = 253;
/** Stands for policies that have no entry of their own; no ShieldPolicy can be called that. */
const others = "(others)";

/**
 * The results of one object: every finding, or, where those are too many or too long, one entry a policy with how many
 * findings it has. In an order that does not depend on the one they were found in.
 */
export function reportResults(
  findings: readonly AuditFinding[],
  limits: ResultLimits = DEFAULT_RESULT_LIMITS,
): ReportResults {
  const sorted = [...findings].sort((a, b) => byPolicy(a.policy, b.policy));
  const count = { fail: 0, warn: 0 };
  for (const finding of sorted) count[finding.result] += findingsOf(finding);
  if (count.fail + count.warn <= limits.results) {
    const each = sorted.flatMap(eachFinding);
    if (bytesOf(each) <= limits.bytes) return { ...count, results: each };
  }
  const share = Math.floor(limits.bytes / Math.max(1, sorted.length)) - 256;
  const length = Math.min(messageLimit, Math.max(64, share));
  const entries = sorted.map((finding) => together(finding, length));
  return { ...count, results: fitting(entries, limits) };
}

/** Policies of the cluster before tenants', which then take no room from them; each by name. */
export function byPolicy(a: string, b: string): number {
  const isTenants = (policy: string): number => Number(namespaceOfPolicy(policy) !== undefined);
  return isTenants(a) - isTenants(b) || (a < b ? -1 : 1);
}

/** How many single findings: one object may break a policy in several ways. */
export function findingsOf({ violations }: AuditFinding): number {
  return Math.max(1, violations.length);
}

/** As many entries as fit, and one that counts the findings of the rest. */
export function fitting(
  entries: readonly CountingResult[],
  limits: ResultLimits = DEFAULT_RESULT_LIMITS,
): ReportResult[] {
  if (entries.length <= limits.results && bytesOf(entries) <= limits.bytes) return [...entries];
  // Room for the one that counts the rest.
  let left = limits.bytes - 512;
  const kept: ReportResult[] = [];
  for (const entry of entries.slice(0, limits.results - 1)) {
    left -= bytesOf([entry]);
    if (left < 0) break;
    kept.push(entry);
  }
  const rest = entries.slice(kept.length);
  const findings = rest.reduce((sum, { properties }) => sum + Number(properties.findings), 0);
  const message = `${numeral(rest.length)} more policies, which this Report has no room for, have ${numeral(findings)} findings: see status.counts of each ShieldPolicy`;
  const result = rest.some((entry) => entry.result === "fail") ? "fail" : "warn";
  const properties = { policies: String(rest.length), findings: String(findings) };
  return [...kept, { source: "ShieldX", policy: others, rule: "summary", result, message, properties }];
}

/** Where people read it. */
export function numeral(value: number): string {
  return value.toLocaleString("en");
}

function eachFinding(finding: AuditFinding): ReportResult[] {
  const base = { source: "ShieldX", policy: finding.policy, result: finding.result } as const;
  if (finding.violations.length === 0) return [{ ...base, rule: "policy", message: stored(finding.message) }];
  return finding.violations
    .map(({ checkId, detail }) => ({ ...base, rule: ruleOf(checkId), message: stored(detail) }))
    .sort((a, b) => (a.rule < b.rule ? -1 : a.rule > b.rule ? 1 : a.message < b.message ? -1 : 1));
}

/** With the words of the first in the order of all, so that they are the same next time. */
function together(finding: AuditFinding, length: number): CountingResult {
  const { policy, result, violations } = finding;
  const count = findingsOf(finding);
  const first = violations.reduce<AuditViolation | undefined>(earlier, undefined);
  const text = stored(first?.detail ?? finding.message);
  return {
    source: "ShieldX",
    policy,
    rule: count === 1 ? ruleOf(first?.checkId ?? "policy") : "summary",
    result,
    message: shownText(count === 1 ? text : `${numeral(count)} findings, one of them: ${text}`, length),
    properties: { findings: String(count) },
  };
}

function earlier(a: AuditViolation | undefined, b: AuditViolation): AuditViolation {
  return a === undefined || b.checkId < a.checkId || (b.checkId === a.checkId && b.detail < a.detail) ? b : a;
}

function ruleOf(checkId: string): string {
  return shownText(checkId, ruleLimit);
}

/** Kept for as long as the object offends: a copy, or it would keep all that it was cut from. */
function stored(text: string): string {
  return flatCopy(shownText(text, messageLimit));
}

function bytesOf(entries: readonly ReportResult[]): number {
  return Buffer.byteLength(JSON.stringify(entries));
}
