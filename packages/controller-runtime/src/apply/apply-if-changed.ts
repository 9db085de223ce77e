import type { KubeObject } from "../kubernetes/objects.ts";
import { keyOf, type ResourceType } from "../kubernetes/resource-type.ts";
import type { Applicable, ApplyOptions, Client } from "../transport/client.ts";
import { ApplyMemory } from "./apply-memory.ts";
import { differenceFromApplied } from "./fields-v1.ts";

export interface ApplyIfChangedOptions extends ApplyOptions {
  /** Default: one for each client. */
  memory?: ApplyMemory;
}

export interface ApplyOutcome<T extends KubeObject> {
  /** The object as it is now. */
  object: T;
  /** Whether a request was made. */
  applied: boolean;
  /** Whether the object's resourceVersion moved, or it was created. */
  changed: boolean;
  /** Why a request was made: the first difference found. For logs. */
  reason?: string;
}

/** A cache to read the current object from; an `Informer` made with `keepManagedFieldsOf` is one. */
export interface CurrentObjects<T extends KubeObject> {
  readonly store: { get(key: string): T | undefined };
}

const memories = new WeakMap<Client, ApplyMemory>();

/**
 * Server-side apply that makes no request when it would change nothing.
 *
 * `current` is the object as cached or read, or the informer that caches it; it must carry our own managedFields
 * entry (`keepManagedFieldsOf`). An apply to an existing object carries its uid, so that an object deleted
 * meanwhile is refused with Conflict and not brought back to life.
 *
 * Write `desired` as the server would (quantities in canonical form, `data` rather than `stringData`): it
 * compares equal then at the first look, and not only after the first apply of this process.
 *
 * @throws ApiError Conflict when another manager owns a field with another value and `force` is not set; one that
 *   `isReplaced` knows when the object is another one by now (409, or 422 where one was made anew under its name); else
 *   as {@link Client.apply}. `refusalOf` says it in a condition's words.
 */
export async function applyIfChanged<T extends KubeObject>(
  client: Client,
  type: ResourceType<T>,
  current: T | CurrentObjects<T> | undefined,
  desired: Applicable<T>,
  options: ApplyIfChangedOptions,
): Promise<ApplyOutcome<T>> {
  const { memory = memoryOf(client), ...applyOptions } = options;
  const { fieldManager, subresource } = options;
  const existing = isCache(current) ? current.store.get(keyOf(desired)) : current;
  const reason =
    existing === undefined
      ? "the object does not exist"
      : differenceFromApplied(existing, desired as KubeObject, fieldManager, subresource);
  if (existing !== undefined) {
    const isRemembered =
      reason !== undefined && memory.isApplied(existing, desired as KubeObject, fieldManager, subresource);
    if (reason === undefined || isRemembered) return { object: existing, applied: false, changed: false };
  }
  const uid = existing?.metadata.uid ?? desired.metadata.uid;
  const body = uid === undefined ? desired : { ...desired, metadata: { ...desired.metadata, uid } };
  const object = await client.apply(type, body, applyOptions);
  if (options.dryRun !== true) memory.remember(object, desired as KubeObject, fieldManager, subresource);
  return {
    object,
    applied: true,
    changed: existing?.metadata.resourceVersion !== object.metadata.resourceVersion,
    ...(reason === undefined ? {} : { reason }),
  };
}

function memoryOf(client: Client): ApplyMemory {
  let memory = memories.get(client);
  if (memory === undefined) {
    memory = new ApplyMemory();
    memories.set(client, memory);
  }
  return memory;
}

function isCache<T extends KubeObject>(
  current: T | CurrentObjects<T> | undefined,
): current is CurrentObjects<T> {
  return current !== undefined && "store" in current && !("metadata" in current);
}
