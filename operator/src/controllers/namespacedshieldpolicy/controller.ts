import {
  type ControllerDefinition,
  defineController,
  Lease,
  MutatingWebhookConfiguration,
  type ObjectKey,
  type ReconcileContext,
  Secret,
  ValidatingWebhookConfiguration,
  watch,
} from "@shieldx/controller-runtime";
import { FAIL_CONFIGURATION, IGNORE_CONFIGURATION, tenantPolicyName } from "@shieldx/crds";
import { neverJudgedNamespaces } from "@shieldx/policy-engine";
import { lookAgain, type OperatorContext, sooner } from "../../context.ts";
import {
  asPolicy,
  type NamespacedShieldPolicyObject,
  NamespacedShieldPolicyType,
  tenantAsPolicy,
} from "../../kinds.ts";
import { FIELD_MANAGER } from "../../names.ts";
import { auditSubject, REPORTS_SUBJECT } from "../../obstacles.ts";
import { keepStatus } from "../../status.ts";
import { caSecret, OURS, replicaLeases } from "../../watched.ts";
import { announce } from "../shieldpolicy/announce.ts";
import { decideStatus, type Enforcer } from "../shieldpolicy/decide.ts";
import { observeVersion } from "../shieldpolicy/observe.ts";
import { replicaChanged } from "../shieldpolicy/replica-changed.ts";

const OWN_STATUS_FIELDS = [
  "observedGeneration",
  "conditions",
  "enforcedBy",
  "enforcedByReason",
  "podSecurityVersion",
  "digest",
  "loadedBy",
];

const IN_WEBHOOK =
  "a NamespacedShieldPolicy is evaluated by the webhook: as a ValidatingAdmissionPolicy it would cost each request of the " +
  "whole cluster, and only a cluster's administrator could see it";

/** Says in the status of each NamespacedShieldPolicy how far it is in force. What is judged by it, replicas and the audit do. */
export function namespacedShieldPolicyController(
  operator: OperatorContext,
): ControllerDefinition<NamespacedShieldPolicyObject> {
  const all = (): ObjectKey[] => operator.world.tenantPolicies();

  /** Exactly one of them acts, and nothing does where no policy may. */
  function enforcerOf({ metadata, spec }: NamespacedShieldPolicyObject): { by: Enforcer; reason: string } {
    const { namespace = "" } = metadata;
    if ([...neverJudgedNamespaces, ...operator.ownNamespaces].includes(namespace))
      return {
        by: "None",
        reason: `no policy acts in namespace "${namespace}", so that the cluster can be brought back: put it into another`,
      };
    if (spec.actions?.admission === "off")
      return { by: "None", reason: "actions.admission is off: requests are not looked at" };
    return { by: "Webhook", reason: IN_WEBHOOK };
  }

  async function reconcile(key: ObjectKey, context: ReconcileContext): Promise<number | undefined> {
    const object = context.get(NamespacedShieldPolicyType, key);
    const name = tenantPolicyName(key.namespace ?? "", key.name);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) {
      operator.obstacles.clear(`status of NamespacedShieldPolicy ${name}`);
      return undefined;
    }
    const policy = tenantAsPolicy(object);
    const now = operator.clock.now();
    const { problem, webhook, version } = observeVersion(operator, context, policy, [], now);
    const { generation = 0 } = object.metadata;
    // Its status is of this version already; whoever starts and compiles it anew has nothing else to say.
    if (problem?.code === "Compiling" && object.status?.observedGeneration === generation) return undefined;
    const minor = operator.world.current().policy(name)?.podSecurityMinor;
    const { exceptions: _none, ...status } = decideStatus(
      {
        policy: { spec: asPolicy(policy).spec, metadata: { generation } },
        problem,
        enforcer: enforcerOf(object),
        handingOver: undefined,
        native: undefined,
        webhook,
        digest: operator.world.digestOf(version.member, object.status?.digest),
        podSecurityVersion: minor === undefined ? undefined : `v1.${minor}`,
        exceptions: { active: 0, expired: 0 },
        audit: operator.obstacles.get(auditSubject(name)),
        reports: operator.obstacles.get(REPORTS_SUBJECT),
        previousConditions: object.status?.conditions,
      },
      now,
    );
    const statusRetryMs = await keepStatus(operator, context, NamespacedShieldPolicyType, object, status, {
      fieldManager: FIELD_MANAGER.policy,
      fields: OWN_STATUS_FIELDS,
    });
    announce(context, object, status.conditions ?? []);
    return sooner(statusRetryMs, operator.world.nextReplicaChangeMs(now));
  }

  return defineController<NamespacedShieldPolicyObject>({
    name: "namespacedshieldpolicy",
    for: { type: NamespacedShieldPolicyType },
    watches: [
      watch({
        type: ValidatingWebhookConfiguration,
        map: ({ metadata: { name } }) =>
          name === FAIL_CONFIGURATION || name === IGNORE_CONFIGURATION ? all() : [],
      }),
      watch({ type: MutatingWebhookConfiguration, ...OURS, map: () => [] }),
      watch({ type: Lease, ...replicaLeases(operator.namespace), predicate: replicaChanged, map: all }),
      watch({ type: Secret, ...caSecret(operator.namespace), map: all }),
    ],
    sources: [
      (enqueue) => operator.obstacles.onChange(() => all().forEach(enqueue)),
      (enqueue) => operator.world.onCompiled(() => all().forEach(enqueue)),
    ],
    concurrency: 2,
    reconcile: async (key, context) => lookAgain(await reconcile(key, context)),
  });
}
