import type { Condition, ShieldException, ShieldExceptionStatus } from "@shieldx/crds";
import type { ExceptionStanding } from "@shieldx/policy-engine";
import { untilMoment } from "../../context.ts";
import { unusedNews, unusedOf } from "./unused.ts";

/** What one policy makes of the exception. */
export interface PolicyStanding {
  readonly policy: string;
  /** undefined: there is no such policy, or none that compiles. */
  readonly standing: ExceptionStanding | undefined;
  /** Why there is none yet: what is said of it stays until there is, for replicas may honour it already. */
  readonly pending?: { readonly reason: string; readonly message: string } | undefined;
  /** It would be honoured, but what is rendered of the policy is full. */
  readonly isLeftOut?: boolean;
  /** Who can tell that the policy's exceptions are needed. Left out: both. */
  readonly seenBy?: {
    /** The webhook counts requests: the API server does not hold the policy against them itself. */
    readonly webhook: boolean;
    /** The background audit knows which existing objects need them. */
    readonly audit: boolean;
  };
}

export interface ExceptionObservation {
  readonly spec: Pick<ShieldException["spec"], "policies" | "owner" | "expiresAt">;
  readonly generation: number;
  readonly createdAtMs: number;
  readonly standings: readonly PolicyStanding[];
  readonly previous: ShieldExceptionStatus | undefined;
  /** What is known of its use; undefined until the audit has been through once. */
  readonly usage?: ShieldExceptionStatus["usage"];
  readonly unusedAfterMs: number;
}

export interface Announcement {
  readonly reason: "ExpiresSoon" | "Expired" | "Unused";
  readonly note: string;
}

export interface ExceptionDecision {
  readonly status: Omit<ShieldExceptionStatus, "usage" | "approvedBy">;
  /** What people should hear of: that the exception is about to end, has ended, or is not needed. */
  readonly announcements: readonly Announcement[];
  /** When something changes by the mere passing of time. */
  readonly requeueAfterMs: number | undefined;
}

const DAY_MS = 86_400_000;

/** How long before its end an exception is announced: three days, or a fifth of its life when that is shorter. */
export function warningTimeMs(createdAtMs: number, expiresAtMs: number): number {
  return expiresAtMs - Math.min(3 * DAY_MS, Math.max(0, expiresAtMs - createdAtMs) / 5);
}

export function decideException(observed: ExceptionObservation, now: number): ExceptionDecision {
  const { spec } = observed;
  const expiresAtMs = Date.parse(spec.expiresAt);
  const isExpired = !(now < expiresAtMs);
  const expiredMessage = `expired at ${spec.expiresAt}: delete it, or ask again with a new ShieldException`;
  const policies = observed.standings.map((standing) => {
    if (isExpired) return { name: standing.policy, honoured: false, message: expiredMessage };
    const refusal = refusalOf(standing, observed);
    return {
      name: standing.policy,
      honoured: refusal === undefined,
      ...(refusal === undefined ? {} : { message: refusal.message.slice(0, 1024) }),
    };
  });
  const unused = isExpired ? undefined : unusedOf(observed, now);
  const conditions: readonly BareCondition[] = [
    isExpired
      ? { type: "Ready", status: "False", reason: "Expired", message: expiredMessage }
      : readyOf(observed),
    {
      type: "Expired",
      status: isExpired ? "True" : "False",
      reason: isExpired ? "Expired" : "NotExpired",
      message: isExpired ? expiredMessage : `ends at ${spec.expiresAt}`,
    },
    ...(unused === undefined ? [] : [unused.condition]),
  ];
  const announcement = announce(observed, now, isExpired, expiresAtMs);
  return {
    status: {
      observedGeneration: observed.generation,
      conditions: conditions.map((condition) => withTransition(condition, observed, now)),
      policies,
    },
    announcements: [
      ...(announcement === undefined ? [] : [announcement]),
      ...(unused?.condition.reason === "Unused" ? unusedNews(observed, unused.condition) : []),
    ],
    requeueAfterMs: nextChange(
      [warningTimeMs(observed.createdAtMs, expiresAtMs), expiresAtMs, unused?.nextMs ?? expiresAtMs],
      now,
    ),
  };
}

interface Refusal {
  readonly reason: string;
  readonly message: string;
}

function refusalOf(
  { policy, standing, pending, isLeftOut }: PolicyStanding,
  observed: ExceptionObservation,
): Refusal | undefined {
  if (standing === undefined && pending !== undefined) return whilePending(policy, pending, observed);
  if (standing === undefined) {
    return {
      reason: "UnknownPolicy",
      message: `there is no ShieldPolicy "${policy}" in force: check the name in spec.policies`,
    };
  }
  if (!standing.honoured) return { reason: standing.code, message: standing.message };
  if (isLeftOut !== true) return undefined;
  return {
    reason: "TooManyExceptions",
    message: `ShieldPolicy "${policy}" has more exceptions than an admission policy can hold, and the newest are left out: delete exceptions of it, or let fewer cover more (a pattern in match.names, a label)`,
  };
}

/** What was said of this very exception before stands. */
function whilePending(
  policy: string,
  pending: Refusal,
  { previous, generation }: ExceptionObservation,
): Refusal | undefined {
  const before = previous?.policies?.find(({ name }) => name === policy);
  const ready = previous?.conditions?.find(({ type }) => type === "Ready");
  const isOfThis = previous?.observedGeneration === generation && ready?.reason !== "Expired";
  if (!isOfThis || before === undefined || ready === undefined)
    return {
      reason: pending.reason,
      message: `ShieldPolicy "${policy}" is not in force yet: ${pending.message}`,
    };
  if (before.honoured) return undefined;
  return { reason: ready.reason, message: before.message ?? ready.message };
}

export type BareCondition = Pick<Condition, "type" | "status" | "reason" | "message">;

function readyOf(observed: ExceptionObservation): BareCondition {
  const { expiresAt } = observed.spec;
  const refusals = observed.standings.flatMap((standing) => refusalOf(standing, observed) ?? []);
  const [first] = refusals;
  if (first === undefined) {
    return { type: "Ready", status: "True", reason: "Active", message: `honoured until ${expiresAt}` };
  }
  const message = refusals.map((refusal) => refusal.message).join("; ");
  return { type: "Ready", status: "False", reason: first.reason, message: message.slice(0, 4096) };
}

function announce(
  { spec, createdAtMs, previous }: ExceptionObservation,
  now: number,
  isExpired: boolean,
  expiresAtMs: number,
): Announcement | undefined {
  const policies = spec.policies.join(", ");
  if (isExpired) {
    const wasKnown = previous?.conditions?.some(
      ({ type, status }) => type === "Expired" && status === "True",
    );
    if (wasKnown === true) return undefined;
    return {
      reason: "Expired",
      note: `the exception from ${policies} ended at ${spec.expiresAt}; the policies hold again (owner: ${spec.owner})`,
    };
  }
  if (now < warningTimeMs(createdAtMs, expiresAtMs)) return undefined;
  return {
    reason: "ExpiresSoon",
    note: `the exception from ${policies} ends at ${spec.expiresAt}: fix what it covers or ask anew (owner: ${spec.owner})`,
  };
}

function nextChange(moments: readonly number[], now: number): number | undefined {
  const next = moments.filter((at) => at > now);
  return untilMoment(next.length === 0 ? undefined : Math.min(...next), now);
}

function withTransition(
  condition: BareCondition,
  { previous, generation }: ExceptionObservation,
  now: number,
): Condition {
  const before = previous?.conditions?.find((other) => other.type === condition.type);
  return {
    ...condition,
    observedGeneration: generation,
    lastTransitionTime:
      before?.status === condition.status
        ? before.lastTransitionTime
        : new Date(now).toISOString().replace(/\.\d+Z$/, "Z"),
  };
}
