import {
  type Applicable,
  type Client,
  isConflict,
  isNotFound,
  type KubeObject,
  type ResourceType,
} from "@shieldx/controller-runtime";
import { findObjectDrift } from "./drift.ts";

/** An object that must be exactly as we write it. */
export interface DesiredObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly uid: string }[];
  };
}

/** What was written last under one name, to tell our own change from somebody else's. */
export interface Written {
  readonly desired: DesiredObject;
  /** What the server made of it. Status writes of others move the resourceVersion, not the generation. */
  readonly uid: string | undefined;
  readonly generation: number;
  readonly wasCreated: boolean;
  readonly writtenAt: number;
  /** The cache has shown this write or a later one: from here on, a difference is not a cache that lags. */
  readonly isSeen: boolean;
}

export type OwnedAction =
  | { readonly kind: "nothing" }
  /** The cache may not show our last write yet; look again after this time. */
  | { readonly kind: "wait"; readonly forMs: number }
  | {
      readonly kind: "write";
      readonly drift: readonly string[];
      /** The object was as we want it and is not any more, though we want the same: somebody changed it. */
      readonly isRestoration: boolean;
    };

/** How long the cache may lag behind our own write before the write is repeated. */
export const CACHE_LAG_MS = 250;

/** Decides about one owned object from what the cache shows. Pure. */
export function decideOwned(
  written: Written | undefined,
  cached: KubeObject | undefined,
  desired: DesiredObject,
  now: number,
): OwnedAction {
  const drift = cached === undefined ? ["metadata.name"] : findObjectDrift(cached, desired);
  // One that is being deleted and held by a finalizer still enforces, and is kept like any other until it is gone.
  if (drift.length === 0) return { kind: "nothing" };
  const isSame = written !== undefined && findObjectDrift(written.desired, desired).length === 0;
  if (!isSame) return { kind: "write", drift, isRestoration: false };
  if (!hasCaughtUp(written, cached)) {
    const left = written.writtenAt + CACHE_LAG_MS - now;
    if (left > 0) return { kind: "wait", forMs: left };
    return { kind: "write", drift, isRestoration: false };
  }
  return { kind: "write", drift, isRestoration: true };
}

function hasCaughtUp(written: Written, cached: KubeObject | undefined): boolean {
  if (written.isSeen) return true;
  if (cached === undefined) return !written.wasCreated;
  return cached.metadata.uid !== written.uid || (cached.metadata.generation ?? 0) >= written.generation;
}

export interface EnsureResult {
  readonly action: OwnedAction;
  /** The object as the server holds it now, as far as known. */
  readonly object: KubeObject | undefined;
}

/** Keeps objects exactly as desired, whoever else writes to them. One instance for each field manager. */
export class OwnedObjects {
  readonly #fieldManager: string;
  readonly #written = new Map<string, Written>();

  constructor(fieldManager: string) {
    this.#fieldManager = fieldManager;
  }

  /**
   * Brings one object in line. Makes no request when the cache shows it as desired.
   * @throws ApiError what the API server answers to the write
   */
  async ensure(
    client: Client,
    type: ResourceType,
    cached: KubeObject | undefined,
    desired: DesiredObject,
    now: number,
  ): Promise<EnsureResult> {
    const key = `${type.plural}/${desired.metadata.name}`;
    const written = this.#noteSeen(key, cached);
    const action = decideOwned(written, cached, desired, now);
    if (action.kind === "nothing" && cached !== undefined) this.#noteAsDesired(key, cached, desired, now);
    if (action.kind !== "write") return { action, object: cached };
    const object = await this.#write(client, type, cached, desired);
    this.#written.set(key, {
      desired,
      uid: object.metadata.uid,
      generation: object.metadata.generation ?? 0,
      wasCreated: cached === undefined,
      writtenAt: now,
      isSeen: false,
    });
    return { action, object };
  }

  /** Deletes the object if it is there. Returns whether there was something to delete. */
  async remove(
    client: Client,
    type: ResourceType,
    cached: KubeObject | undefined,
    name: string,
  ): Promise<boolean> {
    this.#written.delete(`${type.plural}/${name}`);
    if (cached === undefined || cached.metadata.deletionTimestamp !== undefined) return false;
    const { uid } = cached.metadata;
    try {
      await client.delete(type, { name }, uid === undefined ? {} : { preconditions: { uid } });
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
    return true;
  }

  /** As good as written by us: who starts on what a leader before it wrote would else take tampering for news. */
  #noteAsDesired(key: string, cached: KubeObject, desired: DesiredObject, now: number): void {
    // Unless the cache still shows what was before our last write, and only happens to look right.
    if (this.#written.get(key)?.isSeen === false) return;
    const { uid, generation = 0 } = cached.metadata;
    this.#written.set(key, { desired, uid, generation, wasCreated: false, writtenAt: now, isSeen: true });
  }

  #noteSeen(key: string, cached: KubeObject | undefined): Written | undefined {
    const written = this.#written.get(key);
    if (written === undefined || written.isSeen || !hasCaughtUp(written, cached)) return written;
    const seen = { ...written, isSeen: true };
    this.#written.set(key, seen);
    return seen;
  }

  async #write(
    client: Client,
    type: ResourceType,
    cached: KubeObject | undefined,
    desired: DesiredObject,
  ): Promise<KubeObject> {
    const uid = cached?.metadata.uid;
    const body = {
      ...desired,
      metadata: { ...desired.metadata, ...(uid === undefined ? {} : { uid }) },
    } as unknown as Applicable<KubeObject>;
    const applied = await client.apply(type, body, { fieldManager: this.#fieldManager, force: true });
    if (findObjectDrift(applied, desired).length === 0) return applied;
    // Somebody added fields of their own: apply leaves those alone, so the whole object is replaced.
    const { resourceVersion } = applied.metadata;
    const whole = {
      ...desired,
      metadata: {
        ...desired.metadata,
        ...(applied.metadata.uid === undefined ? {} : { uid: applied.metadata.uid }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      },
    } as unknown as KubeObject;
    return client.replace(type, whole, { fieldManager: this.#fieldManager });
  }
}
