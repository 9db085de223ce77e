import {
  type ControllerDefinition,
  defineController,
  Lease,
  type ReconcileContext,
  Secret,
  ValidatingWebhookConfiguration,
  watch,
} from "@shieldx/controller-runtime";
import { CA_SECRET, FAIL_CONFIGURATION, IGNORE_CONFIGURATION, KINDS_CONFIGURATION } from "@shieldx/crds";
import { lookAgain, type OperatorContext } from "../../context.ts";
import { ShieldPolicyType } from "../../kinds.ts";
import { FIELD_MANAGER } from "../../names.ts";
import { OwnedObjects } from "../../owned-object.ts";
import { caSecret, replicaLeases } from "../../watched.ts";
import { readBundle } from "../certificates/bundle-entry.ts";
import { applyBundle } from "./apply.ts";
import { decideWebhookConfigurations, publishedCalls, type WebhookConfiguration } from "./decide.ts";
import { observeWebhooks } from "./observe.ts";

const OURS: readonly string[] = [FAIL_CONFIGURATION, IGNORE_CONFIGURATION, KINDS_CONFIGURATION];
const ALL = OURS.map((name) => ({ name }));
/** How long until a policy that waits for a replica is looked at again; Lease events usually come first. */
const WAIT_MS = 1000;

/** Keeps the three webhook configurations as they have to be. Keys are their names. */
export function webhookConfigurationController(
  operator: OperatorContext,
): ControllerDefinition<ValidatingWebhookConfiguration> {
  const owned = new OwnedObjects(FIELD_MANAGER.webhookConfiguration);
  const published = { Fail: new Set<string>(), Ignore: new Set<string>() };

  async function keep(
    context: ReconcileContext,
    name: string,
    desired: WebhookConfiguration | undefined,
  ): Promise<number | undefined> {
    const cached = context.get(ValidatingWebhookConfiguration, { name });
    if (desired === undefined) {
      await owned.remove(context.client, ValidatingWebhookConfiguration, cached, name);
      return undefined;
    }
    const now = operator.clock.now();
    const { action } = await owned.ensure(
      context.client,
      ValidatingWebhookConfiguration,
      cached,
      desired,
      now,
    );
    if (action.kind === "wait") return action.forMs;
    if (action.kind === "write" && action.isRestoration) {
      operator.metrics.tamperingRestored.inc({ kind: "ValidatingWebhookConfiguration" });
      context.logger.warn(
        { configuration: name, drift: action.drift },
        "webhook configuration was changed; restored",
      );
      context.events.event(
        cached ?? { apiVersion: desired.apiVersion, kind: desired.kind, metadata: { name } },
        {
          type: "Warning",
          reason: "TamperingRestored",
          action: "Restore",
          note: `somebody ${cached === undefined ? "deleted it" : `changed ${action.drift.join(", ")}`}; restored`,
        },
      );
    }
    return undefined;
  }

  async function reconcile(name: string, context: ReconcileContext): Promise<number | undefined> {
    const now = operator.clock.now();
    const secret = context.get(Secret, { name: CA_SECRET, namespace: operator.namespace });
    const caBundlePem = readBundle(secret);
    const existing = (other: string) => context.get(ValidatingWebhookConfiguration, { name: other });
    if (name === KINDS_CONFIGURATION) {
      await applyBundle(context.client, existing(name), caBundlePem);
      return undefined;
    }
    // Without a bundle nothing can be written, and what is there must not be taken away for that.
    if (caBundlePem === undefined) return WAIT_MS;
    const decision = decideWebhookConfigurations(
      observeWebhooks(operator, existing, caBundlePem, published, now),
    );
    const isFail = name === FAIL_CONFIGURATION;
    const desired = isFail ? decision.fail : decision.ignore;
    const wait = await keep(context, name, desired);
    published[isFail ? "Fail" : "Ignore"] = publishedCalls(desired);
    if (wait !== undefined) return wait;
    return decision.waiting.size > 0 ? WAIT_MS : undefined;
  }

  return defineController({
    name: "webhook-configuration",
    for: { type: ValidatingWebhookConfiguration },
    watches: [
      watch({ type: ShieldPolicyType, map: () => ALL }),
      watch({ type: Lease, ...replicaLeases(operator.namespace), map: () => ALL }),
      watch({ type: Secret, ...caSecret(operator.namespace), map: () => ALL }),
    ],
    reconcile: async ({ name }, context) =>
      OURS.includes(name) ? lookAgain(await reconcile(name, context)) : undefined,
  });
}
