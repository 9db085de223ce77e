import { isDeepStrictEqual } from "node:util";
import {
  type ControllerDefinition,
  defineController,
  generationChanged,
  keyOf,
  keyString,
  labelsChanged,
  Namespace,
  type ObjectKey,
  parseKey,
  type ReconcileContext,
  watch,
} from "@shieldx/controller-runtime";
import { isTransient, type PolicySet } from "@shieldx/policy-engine";
import { lookAgain, type OperatorContext, sooner } from "../../context.ts";
import { approvedBy } from "../../exception-approvals.ts";
import { standingFor } from "../../exception-standing.ts";
import type { ExceptionUsage } from "../../exception-usage.ts";
import { type ShieldExceptionObject, ShieldExceptionType, ShieldPolicyType } from "../../kinds.ts";
import { FIELD_MANAGER } from "../../names.ts";
import { namespaceLabels } from "../../namespaces.ts";
import { auditSubject } from "../../obstacles.ts";
import { keepStatus } from "../../status.ts";
import { Announced } from "./announced.ts";
import { decideException, type ExceptionDecision, type PolicyStanding } from "./decide.ts";
import { isSeenByAudit } from "./seen-by.ts";

const OWN_STATUS_FIELDS = ["observedGeneration", "conditions", "policies", "usage", "approvedBy"];
/** Shortest time between two writes of the usage of one exception that says something new. */
const USAGE_INTERVAL_MS = 60_000;

/**
 * Says of each ShieldException whether it is honoured, who approved it and whether anybody needs it, and announces its
 * end ahead of time.
 */
export function shieldExceptionController(
  operator: OperatorContext,
): ControllerDefinition<ShieldExceptionObject> {
  const announced = new Announced();

  function standings(
    context: ReconcileContext,
    exception: ShieldExceptionObject,
    now: number,
  ): PolicyStanding[] {
    const set = operator.world.current();
    const enforcers = operator.world.enforcers();
    const labels = namespaceLabels(context, exception.metadata.namespace ?? "default");
    return exception.spec.policies.map((name) => {
      const policy = set.policy(name);
      return {
        policy: name,
        standing: policy === undefined ? undefined : standingFor(policy, exception, now, labels),
        pending: policy === undefined ? passingProblemOf(set, name) : undefined,
        isLeftOut: operator.world.isLeftOut(name, keyOf(exception)),
        seenBy: {
          webhook: enforcers.get(name) !== "Native" && policy?.admission !== "off",
          audit:
            policy?.background === "audit" &&
            isSeenByAudit(policy.source) &&
            operator.obstacles.get(auditSubject(name)) === undefined,
        },
      };
    });
  }

  /** What the status is to say of its use, and when there is more to say. */
  function usageOf(
    { metadata, status }: ShieldExceptionObject,
    objects: number | undefined,
    now: number,
  ): { readonly usage: ExceptionUsage; readonly moreAfterMs: number | undefined } {
    const { exceptionUses, clock, unusedAfterMs } = operator;
    const { uid = "" } = metadata;
    const usage = exceptionUses.usage(uid, status?.usage, objects, now);
    const written = exceptionUses.written(uid);
    if (written === undefined || isDeepStrictEqual(written.usage, usage))
      return { usage, moreAfterMs: undefined };
    const leftMs = written.atMs + Math.min(USAGE_INTERVAL_MS, unusedAfterMs) - clock.monotonicNow();
    return leftMs > 0 ? { usage: written.usage, moreAfterMs: leftMs } : { usage, moreAfterMs: undefined };
  }

  function announce(
    context: ReconcileContext,
    exception: ShieldExceptionObject,
    decision: ExceptionDecision,
  ): void {
    const { metadata, spec, status } = exception;
    const about = { expiresAt: spec.expiresAt, lastUsed: status?.usage?.lastUsed };
    for (const { reason, note } of announced.take(metadata.uid ?? "", decision, about))
      context.events.event(exception, { type: "Warning", action: "Expire", reason, note });
  }

  async function reconcile(key: ObjectKey, context: ReconcileContext): Promise<number | undefined> {
    const exception = context.get(ShieldExceptionType, key);
    if (exception === undefined || exception.metadata.deletionTimestamp !== undefined) {
      operator.obstacles.clear(`status of ShieldException ${keyString(key)}`);
      return undefined;
    }
    return keepCurrent(exception, key, context, operator.clock.now());
  }

  async function keepCurrent(
    exception: ShieldExceptionObject,
    key: ObjectKey,
    context: ReconcileContext,
    now: number,
  ): Promise<number | undefined> {
    const { exceptionUses, unusedAfterMs, clock } = operator;
    const { metadata, spec, status: previous } = exception;
    const { uid = "", generation = 0, creationTimestamp = new Date(now).toISOString() } = metadata;
    const found = standings(context, exception, now);
    // What a policy that is not there yet holds against objects the audit does not know.
    const isKnown = found.every(({ pending }) => pending === undefined);
    const objects = isKnown ? exceptionUses.objects(keyString(key)) : undefined;
    const { usage, moreAfterMs } = usageOf(exception, objects, now);
    const approved = approvedBy(previous?.approvedBy, exceptionUses.approvals(uid), { generation, spec });
    const decision = decideException(
      {
        spec,
        generation,
        createdAtMs: Date.parse(creationTimestamp),
        standings: found,
        previous,
        usage: objects === undefined ? undefined : usage,
        unusedAfterMs,
      },
      now,
    );
    const status = {
      ...decision.status,
      ...(Object.keys(usage).length === 0 ? {} : { usage }),
      ...(approved === undefined ? {} : { approvedBy: approved }),
    };
    const retryMs = await keepStatus(operator, context, ShieldExceptionType, exception, status, {
      fieldManager: FIELD_MANAGER.exception,
      fields: OWN_STATUS_FIELDS,
    });
    // What is held back is not written yet.
    if (retryMs === undefined && moreAfterMs === undefined) {
      const isNew = !isDeepStrictEqual(previous?.usage ?? {}, usage);
      exceptionUses.wrote(uid, usage, isNew ? clock.monotonicNow() : undefined);
    }
    announce(context, exception, decision);
    return sooner(decision.requeueAfterMs, retryMs, moreAfterMs);
  }

  const inNamespace = (context: { metadata: { name: string } }): ObjectKey[] =>
    operator.world
      .exceptions()
      .filter(({ metadata }) => metadata.namespace === context.metadata.name)
      .map(keyOfException);

  return defineController<ShieldExceptionObject>({
    name: "shieldexception",
    for: { type: ShieldExceptionType },
    watches: [
      watch({
        type: ShieldPolicyType,
        predicate: generationChanged,
        map: (policy) => operator.world.exceptionsOf(policy.metadata.name).map(keyOfException),
      }),
      watch({ type: Namespace, predicate: labelsChanged, map: inNamespace }),
    ],
    sources: [
      (enqueue) =>
        operator.world.onCompiled(() => operator.world.exceptions().map(keyOfException).forEach(enqueue)),
      (enqueue) => operator.world.onLeftOut((keys) => keys.map(parseKey).forEach(enqueue)),
      (enqueue) =>
        operator.exceptionUses.onTold((uids) =>
          operator.world
            .exceptions()
            .filter(({ metadata: { uid } }) => uid !== undefined && uids.has(uid))
            .map(keyOfException)
            .forEach(enqueue),
        ),
      (enqueue) =>
        operator.exceptionUses.onAudited((keys) =>
          (keys === "all" ? operator.world.exceptions().map(keyOfException) : keys.map(parseKey)).forEach(
            enqueue,
          ),
        ),
    ],
    reconcile: async (key, context) => lookAgain(await reconcile(key, context)),
  });
}

/** Why a policy does not count yet, where that says nothing about it and will pass by itself. */
function passingProblemOf(set: PolicySet, policy: string): PolicyStanding["pending"] {
  const problem = set.problems.find(({ kind, name }) => kind === "ShieldPolicy" && name === policy);
  if (problem === undefined || !isTransient(problem.error.code)) return undefined;
  return { reason: problem.error.code, message: problem.error.message };
}

function keyOfException({ metadata: { name, namespace } }: ShieldExceptionObject): ObjectKey {
  return { name, ...(namespace === undefined ? {} : { namespace }) };
}
