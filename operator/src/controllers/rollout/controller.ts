import { isDeepStrictEqual } from "node:util";
import {
  type ControllerDefinition,
  defineController,
  type ObjectKey,
  type ReconcileContext,
  ValidatingWebhookConfiguration,
  watch,
} from "@shieldx/controller-runtime";
import {
  ANNOTATION,
  FAIL_CONFIGURATION,
  IGNORE_CONFIGURATION,
  type RolloutStatus,
  stepDurationMs,
  versionDigest,
} from "@shieldx/crds";
import { lookAgain, type OperatorContext, sooner } from "../../context.ts";
import { asPolicy, type ShieldPolicyObject, ShieldPolicyType } from "../../kinds.ts";
import { FIELD_MANAGER } from "../../names.ts";
import { keepStatus } from "../../status.ts";
import { observePolicy } from "../shieldpolicy/observe.ts";
import { BakeClock } from "./bake-clock.ts";
import { addUp } from "./counts.ts";
import { decideRollout, isBaking, type RolloutDecision, type RolloutObservation } from "./decide.ts";
import { type Merged, mergedBefore, mergeFound } from "./found.ts";

/** Longest time between two writes of how much of a step has passed. */
const LONGEST_CHECK_MS = 60_000;
const SHORTEST_CHECK_MS = 1_000;
/** The same of what is counted. */
const COUNTS_CHECK_MS = 5_000;
/** How often it is looked whether a step's time runs: what passes in between counts only where it ran at both ends. */
const LOOK_MS = 10_000;

/** What this process has told of one turn. */
interface Written {
  readonly turn: number;
  readonly merged: Merged;
  /** By the monotonic clock. */
  readonly atMs: number;
}

/** Takes each policy with a rollout from step to step, and back. */
export function rolloutController(operator: OperatorContext): ControllerDefinition<ShieldPolicyObject> {
  const bakes = new BakeClock();
  const written = new Map<string, Written>();
  /** By name, of policies with a rollout. */
  const uids = new Map<string, string>();

  function forget(uid: string): void {
    bakes.forget(uid);
    written.delete(uid);
    operator.versionsBefore.forget(uid);
    operator.rolloutReports.forget(uid);
  }

  function observe(
    context: ReconcileContext,
    policy: ShieldPolicyObject,
    now: number,
  ): { observed: RolloutObservation; merged: Merged } {
    const { uid = "", annotations = {} } = policy.metadata;
    const whole = asPolicy(policy);
    const { problem, webhook } = observePolicy(operator, context, policy, now);
    const told = whole.status?.rollout;
    const { digest = "", turn = 0 } = told?.digest === versionDigest(whole) ? told : {};
    const reports = operator.rolloutReports.of(uid, digest, turn);
    const live = operator.world.liveReplicas(now).map(({ name }) => name);
    const known = written.get(uid);
    const before = mergedBefore(
      told?.processes ?? [],
      reports.processes,
      known?.turn === turn ? known.merged : new Map(),
    );
    const { found, merged } = mergeFound(told?.found, reports.processes, before);
    const observation = {
      policy: whole,
      request: Object.hasOwn(annotations, ANNOTATION.rollout) ? annotations[ANNOTATION.rollout] : undefined,
      problem: problem && `${problem.code}: ${problem.message}`,
      replicas: { live: live.length, keeping: live.filter((name) => reports.keptBy.has(name)).length },
      isPublished: webhook.isPublished && webhook.cannotJudge === undefined,
      counted: addUp(told ?? {}, reports.processes),
      found,
      before: operator.versionsBefore.of(uid),
    };
    const bakedMs = bakes.look(uid, told, isBaking(observation), checkMs(whole, told), {
      wallMs: now,
      monotonicMs: operator.clock.monotonicNow(),
    });
    return { observed: { ...observation, bakedMs }, merged };
  }

  /** How long the write may wait; 0 for what people, or replicas, have to know at once. */
  function heldBackMs(policy: ShieldPolicyObject, { status }: RolloutDecision): number {
    const before = policy.status?.rollout;
    if (before === undefined || status === undefined) return 0;
    if (!isDeepStrictEqual(plain(essence(before)), plain(essence(status)))) return 0;
    const last = written.get(policy.metadata.uid ?? "");
    if (last === undefined || last.turn !== status.turn) return 0;
    const longestMs = checkMs(asPolicy(policy), status);
    const isCounted = !isDeepStrictEqual(plain(countsIn(before)), plain(countsIn(status)));
    const waitMs = isCounted ? Math.min(COUNTS_CHECK_MS, longestMs) : longestMs;
    return Math.max(0, last.atMs + waitMs - operator.clock.monotonicNow());
  }

  async function reconcile(key: ObjectKey, context: ReconcileContext): Promise<number | undefined> {
    const policy = context.get(ShieldPolicyType, key);
    const uid = policy?.metadata.uid ?? uids.get(key.name) ?? "";
    const isOver = policy?.spec.rollout === undefined && policy?.status?.rollout === undefined;
    if (policy === undefined || isOver || policy.metadata.deletionTimestamp !== undefined) {
      uids.delete(key.name);
      forget(uid);
      return undefined;
    }
    uids.set(key.name, uid);
    const now = operator.clock.now();
    const { observed, merged } = observe(context, policy, now);
    const decision = decideRollout(observed, now);
    // Whether the next look comes by an event or by time, the step's time is looked at now and then.
    const nextMs = sooner(decision.dueMs, idleMs(decision.status));
    if (isDeepStrictEqual(plain(decision.status), plain(policy.status?.rollout))) return nextMs;
    const waitMs = heldBackMs(policy, decision);
    if (waitMs > 0) return sooner(nextMs, waitMs);
    return (await write(context, policy, decision, merged, now)) ?? nextMs;
  }

  /** Returns when to look again, in milliseconds, if it was not written. */
  async function write(
    context: ReconcileContext,
    policy: ShieldPolicyObject,
    decision: RolloutDecision,
    merged: Merged,
    now: number,
  ): Promise<number | undefined> {
    const { uid = "" } = policy.metadata;
    const rollout = decision.status && withCheck(decision.status, now);
    const retryMs = await keepStatus(
      operator,
      context,
      ShieldPolicyType,
      policy,
      rollout === undefined ? {} : { rollout },
      { fieldManager: FIELD_MANAGER.rollout, fields: ["rollout"], isConditional: true },
    );
    if (retryMs !== undefined) return retryMs;
    if (rollout === undefined) forget(uid);
    else {
      const isNewTurn = rollout.turn !== policy.status?.rollout?.turn;
      const atMs = operator.clock.monotonicNow();
      written.set(uid, { turn: rollout.turn, merged: isNewTurn ? new Map() : merged, atMs });
      if (rollout.inForce !== undefined) operator.versionsBefore.forget(uid);
    }
    tell(context, policy, decision);
    return undefined;
  }

  function tell(
    context: ReconcileContext,
    policy: ShieldPolicyObject,
    { status, news }: RolloutDecision,
  ): void {
    for (const { type, reason, note } of news) {
      // Every step is an Event of its own, however soon it follows.
      const occasion = `${status?.turn ?? ""}`;
      context.events.event(policy, { type, reason, action: "RollOut", note: note.slice(0, 1000), occasion });
      context.logger.info({ step: status?.step }, note);
    }
    const isTakenBack = status?.stage === "RolledBack" && policy.status?.rollout?.turn !== status.turn;
    if (isTakenBack && status.rollback !== undefined)
      operator.metrics.rolloutRollbacks.inc({ reason: status.rollback.reason });
  }

  return defineController<ShieldPolicyObject>({
    name: "rollout",
    for: { type: ShieldPolicyType },
    watches: [
      // A step waits until it is called for.
      watch({
        type: ValidatingWebhookConfiguration,
        map: ({ metadata: { name } }) =>
          name === FAIL_CONFIGURATION || name === IGNORE_CONFIGURATION
            ? [...uids.keys()].map((policy) => ({ name: policy }))
            : [],
      }),
    ],
    sources: [
      (enqueue) =>
        operator.world.onCompiled(() =>
          operator.world.policyNames().forEach((name) => void enqueue({ name })),
        ),
      (enqueue) =>
        operator.rolloutReports.onTold((uids) =>
          operator.world.namesOf(uids).forEach((name) => void enqueue({ name })),
        ),
    ],
    reconcile: async (key, context) => lookAgain(await reconcile(key, context)),
  });
}

/** Replicas come and go without a word of a rollout. */
function idleMs(status: RolloutStatus | undefined): number | undefined {
  return status === undefined || status.stage === "Full" ? undefined : LOOK_MS;
}

/** A tenth of the step, within bounds: what a process that dies takes with it of the step's time. */
function checkMs({ spec }: ReturnType<typeof asPolicy>, status: RolloutStatus | undefined): number {
  const durationMs = spec.rollout && status && stepDurationMs(spec.rollout, status);
  return Math.min(LONGEST_CHECK_MS, Math.max(SHORTEST_CHECK_MS, (durationMs ?? 600_000) / 10));
}

function withCheck(status: RolloutStatus, now: number): RolloutStatus {
  if (status.bakedSeconds === undefined) return status;
  return { ...status, checkedAt: new Date(now).toISOString().replace(/\.\d+Z$/, "Z") };
}

/** All of it but what grows with every request and every second. */
function essence({
  bakedSeconds: _baked,
  checkedAt: _checked,
  counts: _counts,
  processes: _processes,
  found: _found,
  ...rest
}: RolloutStatus): object {
  return rest;
}

function countsIn({ counts, found }: RolloutStatus): object {
  return { counts, found };
}

function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}
