import {
  type ControllerDefinition,
  defineController,
  Lease,
  MutatingWebhookConfiguration,
  type ReconcileContext,
  Secret,
  watch,
} from "@shieldx/controller-runtime";
import {
  CA_SECRET,
  FAIL_CONFIGURATION,
  IGNORE_CONFIGURATION,
  KINDS_CONFIGURATION,
  MUTATIONS_CONFIGURATION,
  mutates,
} from "@shieldx/crds";
import { lookAgain, type OperatorContext } from "../../context.ts";
import { asPolicy, ShieldPolicyType } from "../../kinds.ts";
import { FIELD_MANAGER } from "../../names.ts";
import { MUTATIONS_SUBJECT } from "../../obstacles.ts";
import { OwnedObjects, sealed } from "../../owned-object.ts";
import { wasInForce } from "../../tampering.ts";
import { caSecret, OURS, replicaLeases } from "../../watched.ts";
import { readBundle } from "../certificates/bundle-entry.ts";
import { decideMutations, mutatingPolicyOf, type PublishedMutations } from "./decide-mutations.ts";
import { keepConfiguration } from "./keep.ts";
import { policiesOf } from "./observe.ts";
import { Resends } from "./resend.ts";

const NAME = MUTATIONS_CONFIGURATION;
const ONLY = [{ name: NAME }];
/** How long until a policy that waits for a replica is looked at again; Lease events usually come first. */
const WAIT_MS = 1000;

/** Keeps the configuration by which the API server has objects changed. */
export function mutationsController(
  operator: OperatorContext,
): ControllerDefinition<MutatingWebhookConfiguration> {
  const owned = new OwnedObjects(FIELD_MANAGER.webhookConfiguration);
  // The others are sent again before it, each at a time of its own.
  const resends = new Resends([FAIL_CONFIGURATION, IGNORE_CONFIGURATION, KINDS_CONFIGURATION, NAME]);
  let written: PublishedMutations | undefined;

  async function reconcile(context: ReconcileContext): Promise<number | undefined> {
    const now = operator.clock.now();
    const secret = context.get(Secret, { name: CA_SECRET, namespace: operator.namespace });
    const caBundlePem = readBundle(secret);
    // Without a bundle nothing can be written, and what is there must not be taken away for that.
    if (caBundlePem === undefined) return WAIT_MS;
    const cached = context.get(MutatingWebhookConfiguration, { name: NAME });
    const existing = cached as PublishedMutations | undefined;
    const possible = operator.world.possibleReplicas(now);
    const { configuration, waiting } = decideMutations({
      namespace: operator.namespace,
      ownNamespaces: operator.ownNamespaces,
      address: operator.webhookAddress,
      caBundlePem,
      policies: policiesOf(operator, possible, now, mutatingPolicyOf),
      published: [written, existing],
      held: operator.world.mayKeepMore(possible) ? (written ?? existing) : undefined,
    });
    if (configuration === undefined) {
      await owned.remove(context.client, MutatingWebhookConfiguration, cached, NAME);
    }
    const wait =
      configuration &&
      (await keepConfiguration(
        { operator, resends, owned },
        context,
        MutatingWebhookConfiguration,
        sealed(configuration),
        {
          departed: operator.departures.of(MutatingWebhookConfiguration, NAME),
          wasInForce: context
            .list(ShieldPolicyType)
            .some((policy) => mutates(asPolicy(policy).spec) && wasInForce(policy, "Webhook", secret)),
        },
      ));
    // None is something written, too: what the cache still shows of it is not to be held.
    written = configuration ?? { webhooks: [] };
    return wait ?? (waiting.size > 0 ? WAIT_MS : undefined);
  }

  return defineController({
    name: "mutations",
    for: { type: MutatingWebhookConfiguration, ...OURS },
    watches: [
      watch({ type: ShieldPolicyType, map: () => ONLY }),
      watch({ type: Lease, ...replicaLeases(operator.namespace), map: () => ONLY }),
      watch({ type: Secret, ...caSecret(operator.namespace), map: () => ONLY }),
    ],
    concurrency: 1,
    reconcile: async ({ name }, context) => {
      if (name !== NAME) return undefined;
      try {
        const waitMs = await reconcile(context);
        operator.obstacles.clear(MUTATIONS_SUBJECT);
        return lookAgain(waitMs);
      } catch (error) {
        const { retryAfterMs } = operator.obstacles.failed(MUTATIONS_SUBJECT, error, operator.clock.now());
        return lookAgain(retryAfterMs);
      }
    },
  });
}
