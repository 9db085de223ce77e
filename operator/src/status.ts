import { isDeepStrictEqual } from "node:util";
import {
  type Applicable,
  type Client,
  isConflict,
  isNotFound,
  type KubeObject,
  type ResourceType,
} from "@shieldx/controller-runtime";

/**
 * Writes `status` by server-side apply when it differs from what the cache shows, and makes no request otherwise.
 * `fields` names the parts this field manager owns: the others are left out of the comparison.
 * Returns whether a request was made.
 */
export async function applyStatus<T extends KubeObject>(
  client: Client,
  type: ResourceType<T>,
  object: T,
  status: Readonly<Record<string, unknown>>,
  options: { readonly fieldManager: string; readonly fields: readonly string[] },
): Promise<boolean> {
  const current = (object.status ?? {}) as Record<string, unknown>;
  const own = Object.fromEntries(
    options.fields.filter((field) => current[field] !== undefined).map((field) => [field, current[field]]),
  );
  if (isDeepStrictEqual(JSON.parse(JSON.stringify(own)), JSON.parse(JSON.stringify(status)))) return false;
  const { name, namespace, uid } = object.metadata;
  const body = {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
    },
    status,
  } as unknown as Applicable<T>;
  try {
    await client.apply(type, body, {
      fieldManager: options.fieldManager,
      force: true,
      subresource: "status",
    });
  } catch (error) {
    // Gone or another object of that name by now: there is nobody left to tell.
    if (isNotFound(error) || isConflict(error)) return false;
    throw error;
  }
  return true;
}
