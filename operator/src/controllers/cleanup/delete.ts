import {
  type Client,
  isConflict,
  isNotFound,
  keyOf,
  type ObjectKey,
  type RefusalReason,
  refusalOf,
} from "@shieldx/controller-runtime";
import type { ShieldCleanupSpec } from "@shieldx/crds";
import type { DueObject } from "./scan.ts";

export interface Outcome {
  readonly due: DueObject;
  readonly outcome: "WouldDelete" | "Deleted" | "Kept";
  readonly message?: string;
  /** It is refused, and will be until somebody does something about it. */
  readonly refusal?: RefusalReason;
}

export function describe({ type, metadata }: DueObject): string {
  return `${type.kind} ${keyOf({ metadata })}`;
}

/**
 * Deletes one object, if it is still the very one, in the very state, that was looked at.
 * @throws what is no answer about this object: the API server is busy, or out of reach
 */
export async function deleteDue(
  client: Client,
  due: DueObject,
  propagationPolicy: NonNullable<ShieldCleanupSpec["propagationPolicy"]>,
): Promise<Outcome> {
  const { name, namespace, uid, resourceVersion } = due.metadata;
  if (uid === undefined || resourceVersion === undefined)
    return { due, outcome: "Kept", message: "the API server gave no uid and resourceVersion for it" };
  const key: ObjectKey = namespace === undefined ? { name } : { name, namespace };
  try {
    await client.delete(due.type, key, { preconditions: { uid, resourceVersion }, propagationPolicy });
    return { due, outcome: "Deleted" };
  } catch (error) {
    if (isNotFound(error)) return { due, outcome: "Kept", message: "it was gone already" };
    if (isConflict(error))
      return {
        due,
        outcome: "Kept",
        message: "it was changed in the meantime: looked at again in the next run",
      };
    const refusal = refusalOf(error);
    if (refusal === undefined) throw error;
    return { due, outcome: "Kept", message: refusal.message, refusal: refusal.reason };
  }
}
