import {
  isNotFound,
  type MutatingWebhookConfiguration,
  type ReconcileContext,
  type ResourceType,
  type ValidatingWebhookConfiguration,
} from "@shieldx/controller-runtime";
import type { OperatorContext } from "../../context.ts";
import { FIELD_MANAGER } from "../../names.ts";
import type { DesiredObject, Evidence, OwnedObjects } from "../../owned-object.ts";
import { tellRestoration } from "../../tampering.ts";
import { type Resends, resendPatch } from "./resend.ts";

type Configuration = ValidatingWebhookConfiguration | MutatingWebhookConfiguration;

/** Brings one webhook configuration in line, and sends it again where that is due. Returns when to look again. */
export async function keepConfiguration(
  {
    operator,
    resends,
    owned,
  }: {
    readonly operator: OperatorContext;
    readonly resends: Resends;
    readonly owned: OwnedObjects;
  },
  context: ReconcileContext,
  type: ResourceType<Configuration>,
  desired: DesiredObject & { readonly kind: string },
  evidence: Evidence,
): Promise<number | undefined> {
  const { name } = desired.metadata;
  const cached = context.get(type, { name });
  const now = operator.clock.now();
  const { action, object } = await owned.ensure(context.client, type, cached, desired, now, evidence);
  if (action.kind === "wait") return action.forMs;
  if (action.kind === "nothing") return cached && resend(operator, resends, context, type, cached);
  tellRestoration(operator, context, action, {
    kind: type.kind as "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration",
    name,
    wasDeleted: cached === undefined,
    regarding: object ?? { apiVersion: desired.apiVersion, kind: desired.kind, name },
  });
  return undefined;
}

async function resend(
  operator: OperatorContext,
  resends: Resends,
  context: ReconcileContext,
  type: ResourceType<Configuration>,
  cached: Configuration,
): Promise<number | undefined> {
  const dueInMs = resends.dueInMs(cached, operator.clock.monotonicNow());
  if (dueInMs !== 0) return dueInMs;
  try {
    const options = { type: "merge", fieldManager: FIELD_MANAGER.webhookConfiguration } as const;
    await context.client.patch(type, cached.metadata, resendPatch(cached), options);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  return undefined;
}
