import {
  type Applicable,
  type Client,
  isConflict,
  isNotFound,
  ValidatingWebhookConfiguration,
} from "@shieldx/controller-runtime";
import { FIELD_MANAGER } from "../../names.ts";

/** The static configuration's entries whose caBundle is not the published one, as an apply of only that field. */
export function bundlePatch(
  existing: ValidatingWebhookConfiguration,
  caBundlePem: string,
): Applicable<ValidatingWebhookConfiguration> | undefined {
  const caBundle = Buffer.from(caBundlePem, "utf8").toString("base64");
  const entries = existing.webhooks ?? [];
  if (entries.every((entry) => entry.clientConfig.caBundle === caBundle)) return undefined;
  const { name, uid } = existing.metadata;
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name, ...(uid === undefined ? {} : { uid }) },
    // The rest of each entry belongs to whoever installed it; list entries are merged by name.
    webhooks: entries.map((entry) => ({ name: entry.name, clientConfig: { caBundle } })),
  } as Applicable<ValidatingWebhookConfiguration>;
}

/** Sets the caBundle of an installed configuration. Returns whether anything was written. */
export async function applyBundle(
  client: Client,
  existing: ValidatingWebhookConfiguration | undefined,
  caBundlePem: string | undefined,
): Promise<boolean> {
  if (existing === undefined || caBundlePem === undefined) return false;
  const patch = bundlePatch(existing, caBundlePem);
  if (patch === undefined) return false;
  try {
    await client.apply(ValidatingWebhookConfiguration, patch, {
      fieldManager: FIELD_MANAGER.webhookConfiguration,
      force: true,
    });
  } catch (error) {
    // Deleted or re-created since the cache saw it; the watch brings us back here.
    if (isNotFound(error) || isConflict(error)) return false;
    throw error;
  }
  return true;
}
