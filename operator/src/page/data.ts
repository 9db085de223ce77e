import { stagingOf, tenantPolicyName } from "@shieldx/crds";
import { warningTimeMs } from "../controllers/shieldexception/decide.ts";
import { HOUR_MS } from "../findings/history.ts";
import type { FindingsRecord } from "../findings/record.ts";
import {
  asPolicy,
  type NamespacedShieldPolicyObject,
  type ShieldExceptionObject,
  type ShieldPolicyObject,
} from "../kinds.ts";
import type { ExceptionRow, FindingsData, Listed, PageData, PolicyRow, RolloutRow } from "./shape.ts";
import { cut, specChanges } from "./spec-changes.ts";

/** Rows of a list that are sent; how many there are in all is told. */
export const ROWS_SENT = 200;
/** Each with what it found and changes. */
export const ROLLOUTS_SENT = 50;
const LONGEST_TEXT = 500;

export interface PageSources {
  readonly policies: readonly ShieldPolicyObject[];
  readonly tenantPolicies: readonly NamespacedShieldPolicyObject[];
  readonly exceptions: readonly ShieldExceptionObject[];
  readonly findings: FindingsRecord | undefined;
}

/** What the page shows of the caches, at `now`. */
export function pageData(
  { policies, tenantPolicies, exceptions, findings }: PageSources,
  now: number,
): PageData {
  const rollouts = policies.flatMap((policy) => rolloutRow(policy) ?? []);
  const ofExceptions = exceptions.map((exception) => exceptionRow(exception, now));
  const counted = (state: ExceptionRow["state"]): number =>
    ofExceptions.filter((row) => row.state === state).length;
  return {
    policies: policiesData(policies.map(policyRow), tenantPolicies.map(policyRow)),
    ...(findings === undefined ? {} : { findings: findingsData(findings) }),
    rollouts: first(
      rollouts,
      ROLLOUTS_SENT,
      (a, b) => compare(b.since, a.since) || compare(a.policy, b.policy),
    ),
    exceptions: {
      ...first(ofExceptions, ROWS_SENT, byEnd),
      active: ofExceptions.length - counted("expired"),
      endingSoon: counted("endsSoon"),
      expired: counted("expired"),
    },
  };
}

function first<T>(rows: readonly T[], limit: number, order: (a: T, b: T) => number): Listed<T> {
  return { total: rows.length, rows: [...rows].sort(order).slice(0, limit) };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function policiesData(cluster: readonly PolicyRow[], tenants: readonly PolicyRow[]): PageData["policies"] {
  const inForce = (rows: readonly PolicyRow[]): number => rows.filter(({ ready }) => ready === true).length;
  const sent = [cluster, tenants].flatMap((rows) => first(rows, ROWS_SENT, byViolations).rows);
  return {
    rows: sent.sort(byViolations),
    total: cluster.length + tenants.length,
    inForce: inForce(cluster) + inForce(tenants),
    tenants: { total: tenants.length, inForce: inForce(tenants) },
  };
}

/** What needs attention first. */
function byViolations(a: PolicyRow, b: PolicyRow): number {
  return (
    (b.audit?.violating ?? 0) - (a.audit?.violating ?? 0) ||
    Number(a.ready === true) - Number(b.ready === true) ||
    compare(a.name, b.name)
  );
}

/** The next to end first, and those that have ended last. */
function byEnd(a: ExceptionRow, b: ExceptionRow): number {
  return (
    Number(a.state === "expired") - Number(b.state === "expired") ||
    compare(a.expiresAt, b.expiresAt) ||
    compare(`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`)
  );
}

function policyRow({
  metadata: { namespace, name },
  spec,
  status,
}: ShieldPolicyObject | NamespacedShieldPolicyObject): PolicyRow {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  const { checked, violating, violations, exempted } = status?.counts ?? {};
  return {
    ...(namespace === undefined ? { name } : { name: tenantPolicyName(namespace, name), namespace }),
    engine: spec.engine,
    action: spec.actions?.admission ?? "",
    enforcedBy: status?.enforcedBy ?? "",
    ready: ready === undefined ? undefined : ready.status === "True",
    message: ready === undefined || ready.status === "True" ? "" : cut(ready.message, LONGEST_TEXT),
    ...(violating === undefined
      ? {}
      : {
          audit: {
            checked: checked ?? 0,
            violating,
            violations: violations ?? 0,
            exempted: exempted ?? 0,
          },
        }),
  };
}

function findingsData(record: FindingsRecord): FindingsData {
  const { since, recordedAt, objects, violations, namespaces, owners, history } = record;
  const { firstHour, ...series } = history;
  return {
    objects,
    violations,
    since: timeOf(since),
    recordedAt: timeOf(recordedAt),
    namespaces,
    owners,
    history: { ...series, firstHour: timeOf(firstHour * HOUR_MS) },
  };
}

/** Objects of a cache never change: what was made of one stays true, and comparing two specs may take a while. */
const rolloutRows = new WeakMap<ShieldPolicyObject, { readonly row: RolloutRow | undefined }>();

function rolloutRow(object: ShieldPolicyObject): RolloutRow | undefined {
  const known = rolloutRows.get(object) ?? { row: rolloutRowOf(object) };
  rolloutRows.set(object, known);
  return known.row;
}

/** Of what is not, or not any more, in force as it was written. */
function rolloutRowOf(object: ShieldPolicyObject): RolloutRow | undefined {
  const policy = asPolicy(object);
  const staging = stagingOf(policy);
  const told = policy.status?.rollout;
  if (staging === undefined || told === undefined || !staging.isTold) return undefined;
  const { rollout: _rollout, tests: _tests, ...after } = policy.spec;
  const objects = told.found?.objects ?? [];
  return {
    policy: object.metadata.name,
    stage: told.stage,
    step: told.step,
    percent: told.percent,
    since: told.since,
    ...(told.until === undefined ? {} : { until: told.until }),
    isPaused: told.paused === true || policy.spec.rollout?.paused === true,
    message: cut(told.message ?? told.rollback?.message ?? "", LONGEST_TEXT),
    ...(told.counts === undefined
      ? {}
      : {
          counts: {
            requests: told.counts.requests,
            denied: told.counts.denied,
            errors: told.counts.errors,
          },
        }),
    ...(staging.inForce === undefined ? {} : { changes: specChanges(staging.inForce.spec, after) }),
    found: {
      total: objects.length + (told.found?.moreObjects ?? 0),
      rows: objects.map(({ namespace = "", kind, name, message }) => ({ namespace, kind, name, message })),
    },
    foundIn: {
      rows: (told.found?.namespaces ?? []).map(({ name, denied }) => ({ namespace: name, requests: denied })),
      elsewhere: told.found?.moreNamespaces ?? 0,
    },
  };
}

function exceptionRow({ metadata, spec, status }: ShieldExceptionObject, now: number): ExceptionRow {
  const createdAtMs = Date.parse(metadata.creationTimestamp ?? "") || now;
  const expiresAtMs = Date.parse(spec.expiresAt);
  const isUnused = status?.conditions?.some(({ type, status: is }) => type === "Unused" && is === "True");
  return {
    namespace: metadata.namespace ?? "",
    name: metadata.name,
    policies: spec.policies,
    owner: spec.owner,
    reason: cut(spec.reason, LONGEST_TEXT),
    expiresAt: timeOf(expiresAtMs),
    state: !(now < expiresAtMs)
      ? "expired"
      : now < warningTimeMs(createdAtMs, expiresAtMs)
        ? "active"
        : "endsSoon",
    isUnused: isUnused === true,
    ...(status?.usage?.count === undefined ? {} : { used: status.usage.count }),
    ...(status?.approvedBy === undefined ? {} : { approvedBy: status.approvedBy.user }),
  };
}

/** Whole seconds, as everywhere in the API; empty for what is no time. */
function timeOf(epochMs: number): string {
  if (Number.isNaN(epochMs)) return "";
  return new Date(epochMs).toISOString().replace(/\.\d+Z$/, "Z");
}
