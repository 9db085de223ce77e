/** Writes to generated objects. None of them can touch an object that is not the one that was looked at. */
import { createHash } from "node:crypto";
import {
  type Applicable,
  applyIfChanged,
  type Client,
  differenceFromApplied,
  isAlreadyExists,
  isConflict,
  isNotFound,
  type KubeObject,
  type ManagedFieldsEntry,
  type ResourceType,
} from "@shieldx/controller-runtime";
import { FIELD_MANAGER } from "../../names.ts";

/** What became of a write; `stale`: the object is another, or in another state, than the cache shows: look again soon. */
export type Written =
  | { readonly kind: "same" }
  | { readonly kind: "created" }
  | { readonly kind: "updated"; readonly isMend: boolean; readonly difference: string }
  | { readonly kind: "removed" }
  | { readonly kind: "exists" }
  | { readonly kind: "stale" };

const fieldManager = FIELD_MANAGER.generation;

/** Objects whose last written state is remembered, to tell a generator's change from somebody else's. */
const MOST_REMEMBERED = 50_000;

export class GenerationWriter {
  /** By uid, what it was last written as. */
  readonly #written = new Map<string, string>();

  /**
   * By a plain create, which fails where there is an object of that name: server-side apply would add its fields to somebody
   * else's.
   */
  async create(client: Client, type: ResourceType, desired: KubeObject): Promise<Written> {
    let created: KubeObject;
    try {
      created = await client.create(type, desired, { fieldManager });
    } catch (error) {
      if (isAlreadyExists(error)) return { kind: "exists" };
      throw error;
    }
    this.#remember(created.metadata.uid ?? "", desired);
    return (await handOver(client, type, created)) ? { kind: "created" } : { kind: "stale" };
  }

  /** Whether nothing of ours is otherwise, as far as can be told without the server. */
  isAsDesired(current: KubeObject, desired: KubeObject): boolean {
    return differenceFromApplied(current, desired, fieldManager) === undefined;
  }

  /** Puts our fields right; those that others have added stay. */
  async keep(client: Client, type: ResourceType, current: KubeObject, desired: KubeObject): Promise<Written> {
    const { uid = "" } = current.metadata;
    if (createdEntry(current.metadata.managedFields) !== undefined) {
      // The process ended between the two requests of `create`.
      await completeHandOver(client, type, current);
      return { kind: "stale" };
    }
    const before = this.#written.get(uid);
    try {
      const outcome = await applyIfChanged(client, type, current, desired as Applicable<KubeObject>, {
        fieldManager,
        force: true,
      });
      this.#remember(uid, desired);
      if (!outcome.changed) return { kind: "same" };
      return { kind: "updated", isMend: before === digestOf(desired), difference: outcome.reason ?? "" };
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) return { kind: "stale" };
      throw error;
    }
  }

  /** Only the very state that was looked at: who took it over a moment ago keeps it. */
  async remove(client: Client, type: ResourceType, { metadata }: KubeObject): Promise<Written> {
    const { name, namespace, uid, resourceVersion } = metadata;
    if (metadata.deletionTimestamp !== undefined) return { kind: "same" };
    if (uid === undefined || resourceVersion === undefined || namespace === undefined)
      return { kind: "stale" };
    try {
      await client.delete(type, { name, namespace }, { preconditions: { uid, resourceVersion } });
      this.#written.delete(uid);
      return { kind: "removed" };
    } catch (error) {
      if (isNotFound(error)) return { kind: "same" };
      if (isConflict(error)) return { kind: "stale" };
      throw error;
    }
  }

  #remember(uid: string, desired: KubeObject): void {
    this.#written.delete(uid);
    this.#written.set(uid, digestOf(desired));
    for (const key of this.#written.keys()) {
      if (this.#written.size <= MOST_REMEMBERED) break;
      this.#written.delete(key);
    }
  }
}

function digestOf(desired: KubeObject): string {
  return createHash("sha256").update(JSON.stringify(desired)).digest("base64");
}

/** What a create of ours owns, as long as it has not been handed over. */
function createdEntry(entries: readonly ManagedFieldsEntry[] | undefined): ManagedFieldsEntry | undefined {
  return entries?.find(
    (entry) =>
      entry.manager === fieldManager && entry.operation === "Update" && entry.subresource === undefined,
  );
}

/**
 * Makes what a create gave us ours by apply, as client-go's csaupgrade does for kubectl: else a field that the generator no
 * longer has would stay for ever. Returns whether the object was still the one that was made.
 */
async function handOver(client: Client, type: ResourceType, object: KubeObject): Promise<boolean> {
  const { name, namespace, managedFields = [], resourceVersion } = object.metadata;
  const entry = createdEntry(managedFields);
  if (entry === undefined || namespace === undefined) return true;
  const patch = [
    {
      op: "replace",
      path: `/metadata/managedFields/${managedFields.indexOf(entry)}/operation`,
      value: "Apply",
    },
    { op: "replace", path: "/metadata/resourceVersion", value: resourceVersion },
  ];
  try {
    await client.patch(type, { name, namespace }, patch, { type: "json", fieldManager });
    return true;
  } catch (error) {
    if (isConflict(error) || isNotFound(error)) return false;
    throw error;
  }
}

/** The same for one in the cache, which does not hold the others' entries: a patch that changes nothing returns them. */
async function completeHandOver(client: Client, type: ResourceType, { metadata }: KubeObject): Promise<void> {
  const { name, namespace, uid } = metadata;
  if (namespace === undefined) return;
  try {
    const whole = await client.patch(
      type,
      { name, namespace },
      { metadata: { uid } },
      { type: "merge", fieldManager },
    );
    await handOver(client, type, whole);
  } catch (error) {
    if (!isConflict(error) && !isNotFound(error)) throw error;
  }
}
