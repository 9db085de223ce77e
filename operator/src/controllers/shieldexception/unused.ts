import type { Announcement, BareCondition, ExceptionObservation } from "./decide.ts";

const MAX_NAMES = 5;

/**
 * Whether anybody still needs an exception that has not expired, and when that changes by the mere passing of time.
 * undefined while nothing can be said because the audit has not been through yet.
 */
export function unusedOf(
  observed: ExceptionObservation,
  now: number,
): { readonly condition: BareCondition; readonly nextMs?: number } | undefined {
  const { usage, createdAtMs, unusedAfterMs, previous } = observed;
  const { objects = 0 } = usage ?? {};
  if (objects > 0) return { condition: no("Needed", `${objects} existing objects need it now`) };
  const unseen = policiesSeenBy(observed, (webhook, audit) => !webhook && !audit);
  if (unseen.length > 0) {
    return {
      condition: {
        type: "Unused",
        status: "Unknown",
        reason: "NotObserved",
        message:
          `nobody can tell for ShieldPolicy ${named(unseen)}: no request is counted that the API server judges itself, and what exists ` +
          "is not audited, or the policy is only about what the audit cannot see (deletions, connections, subresources, changes " +
          "it makes); set actions.background: audit in the policy, and rbac.auditedKinds of the chart for further kinds, or " +
          "evaluation: Webhook",
      },
    };
  }
  if (usage === undefined) {
    const before = previous?.conditions?.find(({ type }) => type === "Unused");
    if (before === undefined) return undefined;
    const { status, reason, message } = before;
    return { condition: { type: "Unused", status, reason, message } };
  }
  const lastUsedMs = usage.lastUsed === undefined ? undefined : Date.parse(usage.lastUsed);
  const sinceMs = Math.max(createdAtMs, lastUsedMs ?? createdAtMs);
  const at = new Date(sinceMs).toISOString().replace(/\.\d+Z$/, "Z");
  const nextMs = sinceMs + unusedAfterMs;
  if (now < nextMs) {
    const what = lastUsedMs === undefined ? `made at ${at} and not needed yet` : `last needed at ${at}`;
    return { condition: no("RecentlyNeeded", what), nextMs };
  }
  const uncounted = policiesSeenBy(observed, (webhook) => !webhook);
  const caveat =
    uncounted.length === 0
      ? ""
      : `; only existing objects tell for ShieldPolicy ${named(uncounted)}, whose requests the API server judges itself: what is made and gone between two looks is not seen`;
  return {
    condition: {
      type: "Unused",
      status: "True",
      reason: "Unused",
      message: `nothing has needed it since ${at}, and no existing object does: delete it${caveat}`,
    },
  };
}

/** Told when it begins, not again while it lasts. */
export function unusedNews(
  { previous, spec }: ExceptionObservation,
  { message }: BareCondition,
): Announcement[] {
  const isKnown = previous?.conditions?.some(({ type, status }) => type === "Unused" && status === "True");
  return isKnown === true
    ? []
    : [{ reason: "Unused", note: `${message} (owner: ${spec.owner})`.slice(0, 1000) }];
}

function no(reason: "Needed" | "RecentlyNeeded", message: string): BareCondition {
  return { type: "Unused", status: "False", reason, message };
}

/** Names of policies in force of which this holds. */
function policiesSeenBy(
  { standings }: ExceptionObservation,
  holds: (webhook: boolean, audit: boolean) => boolean,
): string[] {
  return standings
    .filter(({ standing }) => standing !== undefined)
    .filter(({ seenBy = { webhook: true, audit: true } }) => holds(seenBy.webhook, seenBy.audit))
    .map(({ policy }) => policy);
}

function named(policies: readonly string[]): string {
  const shown = policies
    .slice(0, MAX_NAMES)
    .map((name) => `"${name}"`)
    .join(", ");
  return policies.length <= MAX_NAMES ? shown : `${shown} and ${policies.length - MAX_NAMES} more`;
}
