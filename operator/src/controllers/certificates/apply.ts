import { type Applicable, type Client, Secret } from "@shieldx/controller-runtime";
import { FIELD_MANAGER, ownLabels } from "../../names.ts";
import { type SecretData, sameData } from "./decide.ts";

/**
 * Writes a Secret when its entries differ, and makes no request otherwise. Refused with Conflict when it changed
 * since it was read: two leaders must never both advance the state. Entries of ours that are no longer wanted go.
 */
export async function writeSecret(
  client: Client,
  existing: Secret | undefined,
  target: { readonly name: string; readonly namespace: string; readonly type: string },
  data: SecretData,
): Promise<boolean> {
  if (existing !== undefined && sameData(existing.data, data)) return false;
  const { uid, resourceVersion } = existing?.metadata ?? {};
  const body: Applicable<Secret> = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: target.name,
      namespace: target.namespace,
      labels: ownLabels(),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    type: existing?.type ?? target.type,
    data: { ...data },
  };
  await client.apply(Secret, body, { fieldManager: FIELD_MANAGER.certificates, force: true });
  return true;
}
