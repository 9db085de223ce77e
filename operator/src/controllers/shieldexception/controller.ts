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
import { lookAgain, type OperatorContext, sooner } from "../../context.ts";
import { standingFor } from "../../exception-standing.ts";
import { type ShieldExceptionObject, ShieldExceptionType, ShieldPolicyType } from "../../kinds.ts";
import { FIELD_MANAGER } from "../../names.ts";
import { namespaceLabels } from "../../namespaces.ts";
import { keepStatus } from "../../status.ts";
import { decideException, type PolicyStanding } from "./decide.ts";

const OWN_STATUS_FIELDS = ["observedGeneration", "conditions", "policies"];

/** Says of each ShieldException whether it is honoured, and announces its end ahead of time. */
export function shieldExceptionController(
  operator: OperatorContext,
): ControllerDefinition<ShieldExceptionObject> {
  /** Announced in this process: an Event once, not at every reconcile. Keys are uid and reason. */
  const announced = new Set<string>();

  function standings(
    context: ReconcileContext,
    exception: ShieldExceptionObject,
    now: number,
  ): PolicyStanding[] {
    const set = operator.world.current();
    const labels = namespaceLabels(context, exception.metadata.namespace ?? "default");
    return exception.spec.policies.map((name) => {
      const policy = set.policy(name);
      return {
        policy: name,
        standing: policy === undefined ? undefined : standingFor(policy, exception, now, labels),
        isLeftOut: operator.world.isLeftOut(name, keyOf(exception)),
      };
    });
  }

  async function reconcile(key: ObjectKey, context: ReconcileContext): Promise<number | undefined> {
    const exception = context.get(ShieldExceptionType, key);
    if (exception === undefined || exception.metadata.deletionTimestamp !== undefined) {
      operator.obstacles.clear(`status of ShieldException ${keyString(key)}`);
      return undefined;
    }
    const now = operator.clock.now();
    const { metadata, spec, status: previous } = exception;
    const decision = decideException(
      {
        spec,
        generation: metadata.generation ?? 0,
        createdAtMs: Date.parse(metadata.creationTimestamp ?? new Date(now).toISOString()),
        standings: standings(context, exception, now),
        previous,
      },
      now,
    );
    const retryMs = await keepStatus(operator, context, ShieldExceptionType, exception, decision.status, {
      fieldManager: FIELD_MANAGER.exception,
      fields: OWN_STATUS_FIELDS,
    });
    const { announcement } = decision;
    const mark = `${metadata.uid}/${announcement?.reason}`;
    if (announcement !== undefined && !announced.has(mark)) {
      if (announced.size > 10_000) announced.clear();
      announced.add(mark);
      context.events.event(exception, { type: "Warning", action: "Expire", ...announcement });
    }
    return sooner(decision.requeueAfterMs, retryMs);
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
    sources: [(enqueue) => operator.world.onLeftOut((keys) => keys.map(parseKey).forEach(enqueue))],
    reconcile: async (key, context) => lookAgain(await reconcile(key, context)),
  });
}

function keyOfException({ metadata: { name, namespace } }: ShieldExceptionObject): ObjectKey {
  return { name, ...(namespace === undefined ? {} : { namespace }) };
}
