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
import { HandOvers } from "../shieldpolicy/hand-over.ts";
import { cachedMutating, isInstalled } from "../shieldpolicy/mutating-apply.ts";
import { replicaChanged } from "../shieldpolicy/replica-changed.ts";
import { type BrokenPolicy, decideBreakGlass } from "./decide.ts";
import { whyItRefuses } from "./refuses.ts";

const OWN_STATUS_FIELDS = ["observedGeneration", "conditions", "policies", "written", "openedBy"];

/** While a policy is handed over. */
const LOOK_AGAIN_MS = 1_000;

/** Says of each ShieldBreakGlass who opened it, whether its policies refuse nothing, and that it is over. */
export function shieldBreakGlassController(
  operator: OperatorContext,
): ControllerDefinition<ShieldBreakGlassObject> {
  /** Since when nothing of a policy is rendered any more: API servers take that in once a second. */
  const handOvers = new HandOvers();

  function refuses(policy: ShieldPolicyObject, context: ReconcileContext): string | undefined {
    const { name, uid, generation } = policy.metadata;
    const isRendered =
      operator.native.of(name, policy.metadata)?.state !== undefined ||
      isInstalled(cachedMutating(operator, context, name));
    const why = whyItRefuses(policy, isRendered);
    if (policy.spec.engine !== "cel" || policy.spec.evaluation === "Webhook") return why;
    const nowMs = operator.clock.monotonicNow();
    const leftMs = handOvers.remainingMs(name, `${uid}/${generation}`, why === undefined, nowMs);
    if (why !== undefined || leftMs === 0) return why;
    return "API servers may refuse by it for some seconds yet";
  }

  function policiesOf(context: ReconcileContext, { spec }: ShieldBreakGlassObject): BrokenPolicy[] {
    const all = context.list(ShieldPolicyType);
    const missing = (spec.policies ?? []).filter(
      (name) => !all.some(({ metadata }) => metadata.name === name),
    );
    return [
      ...all
        .filter(({ metadata }) => namespaceOfPolicy(metadata.name) === undefined)
        .filter(({ metadata }) => breaksPolicy(spec, metadata.name))
        .map((policy) => ({ name: policy.metadata.name, refuses: refuses(policy, context) })),
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
          openInAll: operator.breakGlasses.open().length,
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
      isOver || policies.every(({ refuses: why }) => why === undefined) ? undefined : LOOK_AGAIN_MS,
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
