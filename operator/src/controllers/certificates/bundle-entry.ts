import type { Secret } from "@shieldx/controller-runtime";

/** Entry of the Secret `shieldx-webhooks-ca` that holds the bundle to publish. Only certificates, no keys. */
export const BUNDLE_ENTRY = "bundle.crt";

/** The CA bundle (PEM) to publish; undefined until there is one. */
export function readBundle(secret: Secret | undefined): string | undefined {
  const value = secret?.data?.[BUNDLE_ENTRY];
  return value === undefined || value === "" ? undefined : Buffer.from(value, "base64").toString("utf8");
}
