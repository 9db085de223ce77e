import {
  type ControllerDefinition,
  defineController,
  Lease,
  type ReconcileContext,
  Secret,
  ValidatingWebhookConfiguration,
  watch,
} from "@shieldx/controller-runtime";
import {
  CA_SECRET,
  effectiveFailurePolicy,
  FAIL_CONFIGURATION,
  IGNORE_CONFIGURATION,
  KINDS_CONFIGURATION,
  stagingOf,
} from "@shieldx/crds";
import { lookAgain, type OperatorContext } from "../../context.ts";
import { asPolicy, NamespacedShieldPolicyType, ShieldPolicyType } from "../../kinds.ts";
import { FIELD_MANAGER } from "../../names.ts";
import { WEBHOOK_SUBJECTS } from "../../obstacles.ts";
import { type DesiredObject, type Evidence, OwnedObjects, sealed } from "../../owned-object.ts";
import { wasInForce } from "../../tampering.ts";
import { caSecret, replicaLeases } from "../../watched.ts";
import { readBundle } from "../certificates/bundle-entry.ts";
import { decideWebhookConfigurations, type FailurePolicy, type PublishedConfiguration } from "./decide.ts";
import { keepConfiguration } from "./keep.ts";
import { KindsRelease } from "./kinds.ts";
import { observeWebhooks } from "./observe.ts";
import { Resends } from "./resend.ts";

const OURS: readonly string[] = [FAIL_CONFIGURATION, IGNORE_CONFIGURATION, KINDS_CONFIGURATION];
const ALL = OURS.map((name) => ({ name }));
/** How long until a policy that waits for a replica is looked at again; Lease events usually come first. */
const WAIT_MS = 1000;
const [, SUBJECT, KINDS_SUBJECT] = WEBHOOK_SUBJECTS;

/** How long a configuration that nobody here has ever seen may be missing: whoever installs the chart creates it last. */
const NEVER_SEEN_MS = 60_000;

/** Keeps the three webhook configurations as they have to be. Keys are their names. */
export function webhookConfigurationController(
  operator: OperatorContext,
): ControllerDefinition<ValidatingWebhookConfiguration> {
  const owned = new OwnedObjects(FIELD_MANAGER.webhookConfiguration);
  const release = new KindsRelease({ address: operator.webhookAddress, namespace: operator.namespace });
  const kinds = new OwnedObjects((client, type, cached, desired) =>
    release.write(client, type, cached, desired),
  );
  /** Those of the two policy configurations that the API server does not take at present. */
  const refused = new Set<string>();
  const written: Record<FailurePolicy, PublishedConfiguration | undefined> = {
    Fail: undefined,
    Ignore: undefined,
  };
  const resends = new Resends(OURS);
  let kindsMissedSince: number | undefined;

  const keep = (
    context: ReconcileContext,
    objects: OwnedObjects,
    desired: DesiredObject,
    evidence: Evidence,
  ): Promise<number | undefined> =>
    keepConfiguration(
      { operator, resends, owned: objects },
      context,
      ValidatingWebhookConfiguration,
      desired,
      evidence,
    );

  async function keepKinds(context: ReconcileContext, caBundlePem: string): Promise<number | undefined> {
    const name = KINDS_CONFIGURATION;
    const cached = context.get(ValidatingWebhookConfiguration, { name });
    const departed = operator.departures.of(ValidatingWebhookConfiguration, name);
    if (cached !== undefined) kindsMissedSince = undefined;
    else if (departed === undefined) {
      const now = operator.clock.monotonicNow();
      kindsMissedSince ??= now;
      const left = kindsMissedSince + NEVER_SEEN_MS - now;
      if (left > 0) return left;
      context.logger.warn(
        { configuration: name },
        "the chart's webhook configuration is missing; creating it",
      );
    }
    const desired = release.desired(cached ?? departed, caBundlePem);
    return keep(context, kinds, desired, { wasInForce: departed !== undefined });
  }

  async function reconcile(name: string, context: ReconcileContext): Promise<number | undefined> {
    const now = operator.clock.now();
    const secret = context.get(Secret, { name: CA_SECRET, namespace: operator.namespace });
    const caBundlePem = readBundle(secret);
    // Without a bundle nothing can be written, and what is there must not be taken away for that.
    if (caBundlePem === undefined) return WAIT_MS;
    if (name === KINDS_CONFIGURATION) return keepKinds(context, caBundlePem);
    const existing = (other: string) => context.get(ValidatingWebhookConfiguration, { name: other });
    const decision = decideWebhookConfigurations(
      observeWebhooks(
        operator,
        (other) => existing(other) as PublishedConfiguration | undefined,
        caBundlePem,
        written,
        now,
      ),
    );
    const failurePolicy = name === FAIL_CONFIGURATION ? "Fail" : "Ignore";
    const desired = failurePolicy === "Fail" ? decision.fail : decision.ignore;
    if (desired === undefined) {
      await owned.remove(context.client, ValidatingWebhookConfiguration, existing(name), name);
    }
    const wait =
      desired === undefined
        ? undefined
        : await keep(context, owned, sealed(desired), {
            departed: operator.departures.of(ValidatingWebhookConfiguration, name),
            wasInForce: context.list(ShieldPolicyType).some(
              (policy) =>
                // What goes in by stages needs calls that it did not need before.
                stagingOf(asPolicy(policy)) === undefined &&
                effectiveFailurePolicy(asPolicy(policy).spec) === failurePolicy &&
                wasInForce(policy, "Webhook", secret),
            ),
          });
    // None is something written, too: what the cache still shows of it is not to be held.
    written[failurePolicy] = desired ?? { webhooks: [] };
    if (wait !== undefined) return wait;
    return decision.waiting.size > 0 ? WAIT_MS : undefined;
  }

  return defineController({
    name: "webhook-configuration",
    for: { type: ValidatingWebhookConfiguration },
    watches: [
      watch({ type: ShieldPolicyType, map: () => ALL }),
      watch({ type: NamespacedShieldPolicyType, map: () => ALL }),
      watch({ type: Lease, ...replicaLeases(operator.namespace), map: () => ALL }),
      watch({ type: Secret, ...caSecret(operator.namespace), map: () => ALL }),
    ],
    sources: [(enqueue) => operator.world.onCompiled(() => ALL.forEach(enqueue))],
    // One that is fought over must not hold up the others.
    concurrency: OURS.length,
    reconcile: async ({ name }, context) => {
      if (!OURS.includes(name)) return undefined;
      const subject = name === KINDS_CONFIGURATION ? KINDS_SUBJECT : SUBJECT;
      try {
        const waitMs = await reconcile(name, context);
        refused.delete(name);
        if (name === KINDS_CONFIGURATION || refused.size === 0) operator.obstacles.clear(subject);
        return lookAgain(waitMs);
      } catch (error) {
        const { retryAfterMs } = operator.obstacles.failed(subject, error, operator.clock.now());
        if (name !== KINDS_CONFIGURATION) refused.add(name);
        return lookAgain(retryAfterMs);
      }
    },
  });
}
