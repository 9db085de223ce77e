import {
  FULL,
  firstStep,
  type InForce,
  keptSpecOf,
  MAX_KEPT_SPEC,
  ROLLED_BACK,
  type RolloutFound,
  type RolloutStatus,
  type RolloutStep,
  type ShieldPolicy,
  type StagedPolicy,
  stepAfter,
  stepDurationMs,
  versionDigest,
} from "@shieldx/crds";
import { type Asked, answer } from "./answer.ts";
import { type Counted, NOTHING_COUNTED } from "./counts.ts";
import { exceededLimit } from "./limits.ts";

/** What people should hear of. */
export interface RolloutNews {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly note: string;
}

export interface RolloutObservation {
  readonly policy: StagedPolicy & Pick<ShieldPolicy, "metadata">;
  /** Value of the annotation by which people ask. */
  readonly request: string | undefined;
  /** Why the version cannot be judged by. */
  readonly problem: string | undefined;
  /** Replicas of the webhook that live, and those of them that keep this turn. */
  readonly replicas: { readonly live: number; readonly keeping: number };
  /** The API server makes every call that the stage needs. */
  readonly isPublished: boolean;
  /** In this turn. */
  readonly counted: Counted;
  /** In all turns of this version. */
  readonly found: RolloutFound | undefined;
  /** How much of the step has passed. */
  readonly bakedMs: number;
  /** The version in force so far, where the status does not tell one. */
  readonly before: InForce | undefined;
}

export interface RolloutDecision {
  /** undefined: the policy has no rollout, or its newest version cannot begin. */
  readonly status: RolloutStatus | undefined;
  readonly news: readonly RolloutNews[];
  /** When the step ends if nothing changes, in milliseconds. */
  readonly dueMs: number | undefined;
}

/** Each API server and each replica has to take a step in before the next begins. */
export const SHORTEST_STEP_MS = 3_000;

/** The next status. At most one step is taken, however much time has passed and whatever is asked for. */
export function decideRollout(observed: RolloutObservation, now: number): RolloutDecision {
  const { policy } = observed;
  const { rollout } = policy.spec;
  const told = policy.status?.rollout;
  if (rollout === undefined) return { status: undefined, news: ended(told), dueMs: undefined };
  if (told === undefined || told.digest !== versionDigest(policy)) return begin(observed, now);
  const current = withCounts(told, observed);
  if (current.stage === "Full") return settle(observed, current, now);
  const exceeded = ["Shadow", "Canary", "Bake"].includes(current.stage)
    ? exceededLimit(rollout.rollback, current.counts ?? NOTHING_COUNTED)
    : undefined;
  if (exceeded === undefined) return settle(observed, current, now);
  const back = takeBack(observed, current, exceeded, now);
  const answered = answerRequest(observed, back, now);
  return { status: answered.status, news: [tookBack(back), ...answered.news], dueMs: undefined };
}

/** What people ask for, and then what time brings. */
function settle(observed: RolloutObservation, current: RolloutStatus, now: number): RolloutDecision {
  const answered = answerRequest(observed, current, now);
  if (answered.status.turn !== current.turn || current.stage === "Full" || current.stage === "RolledBack")
    return { ...answered, dueMs: undefined };
  const { status } = answered;
  const [waitsFor, leftMs] = held(observed, status);
  if (waitsFor !== undefined)
    return { status: { ...status, message: waitsFor }, news: answered.news, dueMs: undefined };
  if (leftMs > 0) return { status: withoutMessage(status), news: answered.news, dueMs: leftMs };
  const { rollout } = observed.policy.spec;
  const next = move(observed, status, rollout === undefined ? FULL : stepAfter(rollout, status), now);
  return {
    status: next,
    news: [...answered.news, promoted(status, next, "its time is over")],
    dueMs: undefined,
  };
}

/** What a step waits for, and how much of its time is left. */
function held(
  { policy, problem, replicas, isPublished, bakedMs }: RolloutObservation,
  status: RolloutStatus,
): readonly [string | undefined, number] {
  const { rollout } = policy.spec;
  const durationMs = (rollout && stepDurationMs(rollout, status)) ?? 0;
  const leftMs = Math.max(durationMs, SHORTEST_STEP_MS) - bakedMs;
  if (problem !== undefined) return [`the version cannot be judged by: ${problem}`.slice(0, 1024), leftMs];
  if (!isPublished) return ["waits until requests are sent to the webhook for it", leftMs];
  if (replicas.live === 0) return ["waits for a replica of the webhook: none is alive", leftMs];
  if (replicas.keeping < replicas.live)
    return [
      `waits until every replica of the webhook keeps this step: ${replicas.keeping} of ${replicas.live} do`,
      leftMs,
    ];
  if (rollout?.paused === true || status.paused === true)
    return ["paused: it stays in this step until it is resumed or promoted", leftMs];
  return [undefined, leftMs];
}

/** Whether the time of the step runs: while nobody keeps it, nobody would see what is wrong with it. */
export function isBaking(observation: Omit<RolloutObservation, "bakedMs">): boolean {
  const told = observation.policy.status?.rollout;
  if (told === undefined || !["Shadow", "Canary", "Bake"].includes(told.stage)) return false;
  return held({ ...observation, bakedMs: 0 }, told)[0] === undefined;
}

function withCounts(
  told: RolloutStatus,
  { policy, counted, found, bakedMs }: RolloutObservation,
): RolloutStatus {
  const { generation = told.generation } = policy.metadata;
  if (told.stage === "Full") return { ...told, generation };
  return {
    ...told,
    generation,
    bakedSeconds: Math.max(told.bakedSeconds ?? 0, Math.floor(bakedMs / 1_000)),
    ...counted,
    ...(found === undefined ? {} : { found }),
  };
}

function withoutMessage({ message: _, ...status }: RolloutStatus): RolloutStatus {
  return status;
}

function begin(observation: RolloutObservation, now: number): RolloutDecision {
  const { policy, problem, before } = observation;
  const { rollout } = policy.spec;
  const told = policy.status?.rollout;
  // What cannot be judged by does not begin: the version before stays, and the policy's conditions tell why.
  if (rollout === undefined || problem !== undefined) return { status: told, news: [], dueMs: undefined };
  const digest = versionDigest(policy);
  const kept = told?.inForce ?? (before && keep(before.digest, before.spec));
  const isInForce = kept?.digest === digest;
  const step = isInForce ? FULL : firstStep(rollout);
  const fresh = stepStatus(observation, { digest, turn: told?.turn ?? 0 }, step, now);
  const { paused, answered } = told ?? {};
  const status: RolloutStatus = {
    ...fresh,
    ...(paused === undefined ? {} : { paused }),
    ...(answered === undefined ? {} : { answered }),
    ...(kept === undefined ? {} : { inForce: kept }),
  };
  if (isInForce) {
    const note = "this version is in force already: there is nothing to roll out";
    return { status, news: [{ type: "Normal", reason: "RolledOut", note }], dueMs: undefined };
  }
  return { status, news: [began(status, observation)], dueMs: undefined };
}

function began({ step, inForce }: RolloutStatus, { policy }: RolloutObservation): RolloutNews {
  if (inForce !== undefined)
    return {
      type: "Normal",
      reason: "RolloutBegan",
      note: `a new version begins in step ${step}; the version before stays in force where this one does not act`,
    };
  const isNew = (policy.metadata.generation ?? 1) === 1;
  return {
    type: isNew ? "Normal" : "Warning",
    reason: "RolloutBegan",
    note: isNew
      ? `begins in step ${step}; nothing of the policy is in force where it does not act`
      : `a new version begins in step ${step}; no version before is known, so that nothing of the policy is kept in force where this one does not act. Add rollout to a policy in a change of its own, and change the policy then`,
  };
}

/** A new turn, with nothing counted yet. */
function stepStatus(
  { policy, found }: RolloutObservation,
  { digest, turn }: Pick<RolloutStatus, "digest" | "turn">,
  { stage, name, percent }: RolloutStep,
  now: number,
): RolloutStatus {
  const { rollout } = policy.spec;
  const durationMs = rollout && stepDurationMs(rollout, { stage, percent });
  return {
    digest,
    generation: policy.metadata.generation ?? 0,
    stage,
    step: name,
    percent,
    turn: turn + 1,
    since: seconds(now),
    ...(durationMs === undefined ? {} : { until: seconds(now + Math.max(durationMs, SHORTEST_STEP_MS)) }),
    ...(stage === "Full" ? {} : { bakedSeconds: 0, checkedAt: seconds(now), counts: NOTHING_COUNTED }),
    ...(["Shadow", "Canary", "Bake"].includes(stage) ? { message: "waits until it is kept everywhere" } : {}),
    ...(found === undefined || policy.status?.rollout?.digest !== digest ? {} : { found }),
  };
}

function move(
  observation: RolloutObservation,
  from: RolloutStatus,
  step: RolloutStep,
  now: number,
): RolloutStatus {
  const { digest } = from;
  const own = step.stage === "Full" ? keep(digest, observation.policy.spec) : from.inForce;
  const { paused, rollback, answered } = from;
  return {
    ...stepStatus(observation, from, step, now),
    ...(paused === undefined ? {} : { paused }),
    ...(rollback === undefined ? {} : { rollback }),
    ...(answered === undefined ? {} : { answered }),
    ...(own === undefined ? {} : { inForce: own }),
  };
}

/** undefined for one that is too large to be kept beside another. */
function keep(digest: string, spec: ShieldPolicy["spec"]): RolloutStatus["inForce"] {
  const text = keptSpecOf(spec);
  return text.length > MAX_KEPT_SPEC ? undefined : { digest, spec: text };
}

function takeBack(
  observation: RolloutObservation,
  from: RolloutStatus,
  { reason, message }: Pick<NonNullable<RolloutStatus["rollback"]>, "reason" | "message">,
  now: number,
): RolloutStatus {
  return {
    ...move(observation, from, ROLLED_BACK, now),
    rollback: { reason, message, from: from.step, at: seconds(now) },
    message: `taken back from step ${from.step}: ${message}`.slice(0, 1024),
  };
}

function answerRequest(
  observation: RolloutObservation,
  current: RolloutStatus,
  now: number,
): { readonly status: RolloutStatus; readonly news: readonly RolloutNews[] } {
  const { request, policy, problem, replicas, isPublished } = observation;
  const asked: Asked = {
    request,
    current,
    problem,
    isSettled: isPublished && replicas.live > 0 && replicas.keeping === replicas.live,
  };
  const reply = answer(asked);
  if (reply.kind === "none") return { status: withoutAnswer(current, request), news: [] };
  if (reply.kind === "wait") return { status: current, news: [] };
  const answered = { request: reply.request, accepted: reply.kind !== "refused", message: reply.message };
  switch (reply.kind) {
    case "refused":
      return {
        status: { ...current, answered },
        news: [{ type: "Warning", reason: "RolloutRequestRefused", note: reply.message }],
      };
    case "paused":
    case "resumed": {
      const { paused: _, ...rest } = current;
      const isPausing = reply.kind === "paused";
      const reason = isPausing ? "RolloutPaused" : "RolloutResumed";
      return {
        status: { ...rest, ...(isPausing ? { paused: true } : {}), answered },
        news: [{ type: "Normal", reason, note: reply.message }],
      };
    }
    case "promoted": {
      const { rollout } = policy.spec;
      const next = move(
        observation,
        current,
        rollout === undefined ? FULL : stepAfter(rollout, current),
        now,
      );
      return { status: { ...next, answered }, news: [promoted(current, next, "somebody promoted it")] };
    }
    case "aborted": {
      const why = { reason: "Aborted", message: "somebody aborted it" } as const;
      const back = takeBack(observation, current, why, now);
      return { status: { ...back, answered }, news: [tookBack(back)] };
    }
    default:
      return reply satisfies never;
  }
}

/** An annotation that is gone can ask the same again. */
function withoutAnswer(current: RolloutStatus, request: string | undefined): RolloutStatus {
  if (request !== undefined || current.answered === undefined) return current;
  const { answered: _, ...rest } = current;
  return rest;
}

function promoted(from: RolloutStatus, to: RolloutStatus, why: string): RolloutNews {
  if (to.stage === "Full")
    return {
      type: "Normal",
      reason: "RolledOut",
      note: `in force everywhere, after step ${from.step}: ${why}`,
    };
  const note = `from step ${from.step} to ${to.step}: ${why}; acts in ${to.percent} % of namespaces now`;
  return { type: "Normal", reason: "RolloutPromoted", note };
}

function tookBack({ rollback, inForce }: RolloutStatus): RolloutNews {
  const meanwhile =
    inForce === undefined ? "nothing of the policy is in force" : "the version before is in force everywhere";
  const note = `taken back from step ${rollback?.from}: ${rollback?.message}; ${meanwhile} until somebody promotes it or writes another version`;
  return rollback?.reason === "Aborted"
    ? { type: "Normal", reason: "RolloutAborted", note }
    : { type: "Warning", reason: "RolledBack", note };
}

function ended(told: RolloutStatus | undefined): readonly RolloutNews[] {
  if (told === undefined || told.stage === "Full") return [];
  const note = `spec.rollout was removed in step ${told.step}: the policy is in force everywhere as it is written`;
  return [{ type: "Normal", reason: "RolloutRemoved", note }];
}

function seconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
