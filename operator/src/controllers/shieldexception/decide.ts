import type { Condition, ShieldException, ShieldExceptionStatus } from "@shieldx/crds";
import type { ExceptionStanding } from "@shieldx/policy-engine";

/** What one policy makes of the exception. */
export interface PolicyStanding {
  readonly policy: string;
  /** undefined: there is no such policy, or none that compiles. */
  readonly standing: ExceptionStanding | undefined;
  /** It would be honoured, but what is rendered of the policy is full. */
  readonly isLeftOut?: boolean;
}

export interface ExceptionObservation {
  readonly spec: Pick<ShieldException["spec"], "policies" | "owner" | "expiresAt">;
  readonly generation: number;
  readonly createdAtMs: number;
  readonly standings: readonly PolicyStanding[];
  readonly previous: ShieldExceptionStatus | undefined;
}

export interface ExceptionDecision {
  readonly status: Omit<ShieldExceptionStatus, "usage">;
  /** Set when people should hear that the exception is about to end or has ended. */
  readonly announcement: { readonly reason: "ExpiresSoon" | "Expired"; readonly note: string } | undefined;
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
    const refusal = refusalOf(standing);
    return {
      name: standing.policy,
      honoured: refusal === undefined,
      ...(refusal === undefined ? {} : { message: refusal.message.slice(0, 1024) }),
    };
  });
  const conditions = [
    isExpired
      ? ({ type: "Ready", status: "False", reason: "Expired", message: expiredMessage } as const)
      : readyOf(observed.standings, spec.expiresAt),
    {
      type: "Expired",
      status: isExpired ? "True" : "False",
      reason: isExpired ? "Expired" : "NotExpired",
      message: isExpired ? expiredMessage : `ends at ${spec.expiresAt}`,
    } as const,
  ];
  return {
    status: {
      observedGeneration: observed.generation,
      conditions: conditions.map((condition) => withTransition(condition, observed, now)),
      policies,
    },
    announcement: announce(observed, now, isExpired, expiresAtMs),
    requeueAfterMs: nextChange(observed.createdAtMs, expiresAtMs, now),
  };
}

function refusalOf({
  policy,
  standing,
  isLeftOut,
}: PolicyStanding): { reason: string; message: string } | undefined {
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

type BareCondition = Pick<Condition, "type" | "status" | "reason" | "message">;

function readyOf(standings: readonly PolicyStanding[], expiresAt: string): BareCondition {
  const refusals = standings.flatMap((standing) => refusalOf(standing) ?? []);
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
): ExceptionDecision["announcement"] {
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

function nextChange(createdAtMs: number, expiresAtMs: number, now: number): number | undefined {
  const next = [warningTimeMs(createdAtMs, expiresAtMs), expiresAtMs].filter((at) => at > now);
  return next.length === 0 ? undefined : Math.min(...next) - now;
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
