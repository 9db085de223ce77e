import {
  type ControllerDefinition,
  defineController,
  Lease,
  type ObjectKey,
  type ReconcileContext,
  watch,
} from "@shieldx/controller-runtime";
import { breakGlassWindow, breaksPolicy, namespaceOfPolicy } from "@shieldx/crds";
import { lookAgain, type OperatorContext, sooner, untilMoment } from "../../context.ts";
import { approvedBy } from "../../exception-approvals.ts";
import {
  type ShieldBreakGlassObject,
  ShieldBreakGlassType,
  type ShieldPolicyObject,
  ShieldPolicyType,
} from "../../kinds.ts";
import { FIELD_MANAGER } from "../../names.ts";
import { keepStatus } from "../../status.ts";
import { replicaLeases } from "../../watched.ts";
import { replicaChanged } from "../shieldpolicy/replica-changed.ts";
import { type BrokenPolicy, decideBreakGlass } from "./decide.ts";

const OWN_STATUS_FIELDS = ["observedGeneration", "conditions", "policies", "written", "openedBy"];

/** Says of each ShieldBreakGlass who opened it, whether its policies refuse nothing, and that it is over. */
export function shieldBreakGlassController(
  operator: OperatorContext,
): ControllerDefinition<ShieldBreakGlassObject> {
  function policiesOf(context: ReconcileContext, { spec }: ShieldBreakGlassObject): BrokenPolicy[] {
    const all = context.list(ShieldPolicyType);
    const missing = (spec.policies ?? []).filter(
      (name) => !all.some(({ metadata }) => metadata.name === name),
    );
    return [
      ...all
        .filter(({ metadata }) => namespaceOfPolicy(metadata.name) === undefined)
        .filter(({ metadata }) => breaksPolicy(spec, metadata.name))
        .map((policy) => ({ name: policy.metadata.name, refuses: whyItRefuses(policy) })),
      ...missing.map((name) => ({
        name,
        refuses: `there is no ShieldPolicy "${name}": check spec.policies`,
      })),
    ].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async function reconcile(key: ObjectKey, context: ReconcileContext): Promise<number | undefined> {
    const glass = context.get(ShieldBreakGlassType, key);
    if (glass === undefined || glass.metadata.deletionTimestamp !== undefined) {
      operator.obstacles.clear(`status of ShieldBreakGlass ${key.name}`);
      return undefined;
    }
    const { uid = "", generation = 0 } = glass.metadata;
    const { spec, status: previous } = glass;
    const now = operator.clock.now();
    const policies = policiesOf(context, glass);
    const live = operator.world.liveReplicas(now).map(({ name }) => name);
    const openAt = operator.breakGlassReports.openAt(uid);
    const approved = approvedBy(
      previous?.openedBy === undefined ? undefined : { ...previous.openedBy, generation },
      operator.exceptionUses.approvals(uid),
      { generation, spec },
    );
    const gaps = context
      .list(ShieldPolicyType)
      .flatMap(({ status }) => (status?.gaps ?? []).filter(({ id }) => id === uid));
    const status = {
      ...decideBreakGlass(
        {
          glass,
          generation,
          policies,
          replicas: { live: live.length, open: live.filter((name) => openAt.has(name)).length },
          written: gaps.reduce((sum, { requests = 0 }) => sum + requests, 0),
        },
        now,
      ),
      ...(approved === undefined ? {} : { openedBy: { user: approved.user } }),
    };
    const retryMs = await keepStatus(operator, context, ShieldBreakGlassType, glass, status, {
      fieldManager: FIELD_MANAGER.breakGlass,
      fields: OWN_STATUS_FIELDS,
    });
    const window = breakGlassWindow(glass);
    const isOver = "problem" in window || window.untilMs <= now;
    return sooner(
      retryMs,
      isOver ? undefined : untilMoment(window.untilMs, now),
      isOver ? undefined : operator.world.nextReplicaChangeMs(now),
    );
  }

  const all = (): ObjectKey[] => operator.breakGlasses.all().map(({ metadata: { name } }) => ({ name }));
  return defineController<ShieldBreakGlassObject>({
    name: "shieldbreakglass",
    for: { type: ShieldBreakGlassType },
    watches: [
      watch({
        type: ShieldPolicyType,
        map: ({ metadata: { name } }) =>
          operator.breakGlasses.of(name).map((glass) => ({ name: glass.metadata.name })),
      }),
      watch({ type: Lease, ...replicaLeases(operator.namespace), predicate: replicaChanged, map: all }),
    ],
    sources: [
      (enqueue) => operator.breakGlassReports.onTold(() => all().forEach(enqueue)),
      (enqueue) =>
        operator.exceptionUses.onTold((uids) => {
          for (const { metadata } of operator.breakGlasses.all())
            if (uids.has(metadata.uid ?? "")) enqueue({ name: metadata.name });
        }),
    ],
    reconcile: async (key, context) => lookAgain(await reconcile(key, context)),
  });
}

/** What the API server refuses by itself knows no time: it is suspended once the webhook has taken over. */
function whyItRefuses({ spec, status }: ShieldPolicyObject): string | undefined {
  if (spec.actions?.admission !== "deny" || status?.enforcedBy !== "Native") return undefined;
  return status.handingOverTo === "Webhook"
    ? "the API server still refuses by it; the webhook is taking over, which takes some seconds"
    : `the API server refuses by it, and the webhook cannot take over: ${status.enforcedByReason ?? "its rules have wildcards, or are about kinds that ShieldX is brought back with"}; change actions.admission to warn instead`;
}
