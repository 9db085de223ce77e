import type { Applicable, ValidatingWebhookConfiguration } from "@shieldx/controller-runtime";

/** An apply of nothing but the caBundle (base64) of each entry; list entries are merged by name. */
export function bundlePatch(
  { metadata: { name, uid }, webhooks }: ValidatingWebhookConfiguration,
  caBundle: string,
): Applicable<ValidatingWebhookConfiguration> {
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name, ...(uid === undefined ? {} : { uid }) },
    webhooks: (webhooks ?? []).map((entry) => ({ name: entry.name, clientConfig: { caBundle } })),
  } as Applicable<ValidatingWebhookConfiguration>;
}
