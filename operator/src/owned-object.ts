import {
  type Applicable,
  type Client,
  fieldManagerConflict,
  isNotFound,
  type KubeObject,
  type ResourceType,
  refusalOf,
} from "@shieldx/controller-runtime";
import { findObjectDrift, renderingDigest } from "./drift.ts";
import { RENDERED_ANNOTATION } from "./names.ts";

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
  readonly resourceVersion?: string | undefined;
  readonly wasCreated: boolean;
  readonly writtenAt: number;
  /** The cache has shown this write or a later one: from here on, a difference is not a cache that lags. */
  readonly isSeen: boolean;
}

export type OwnedAction =
  | { readonly kind: "nothing" }
  /** For the cache, which may not show our last write yet, or for whoever wrote or deleted in between; look again then. */
  | { readonly kind: "wait"; readonly forMs: number; readonly on: "cache" | "others" }
  | {
      readonly kind: "write";
      readonly drift: readonly string[];
      /** The object was as we want it and is not any more, though we want the same: somebody changed it. */
      readonly isRestoration: boolean;
    };

/** How long the cache may lag behind our own write before the write is repeated. */
export const CACHE_LAG_MS = 250;
/** After a write that met another one; the cache will show what it met. Does not grow: an attacker would gain by it. */
export const FOUGHT_MS = 20;

/** What is known besides the cache where this process has not written the object yet. */
export interface Evidence {
  /** What was last seen of an object that is not there any more, also while another process led. */
  readonly departed?: KubeObject | undefined;
  /** It is written down elsewhere that the object was there. */
  readonly wasInForce?: boolean;
}

/** Decides about one owned object from what the cache shows. Pure. */
export function decideOwned(
  written: Written | undefined,
  cached: KubeObject | undefined,
  desired: DesiredObject,
  now: number,
  evidence: Evidence = {},
): OwnedAction {
  const drift = cached === undefined ? ["metadata.name"] : findObjectDrift(cached, desired);
  // One that is being deleted and held by a finalizer still enforces, and is kept like any other until it is gone.
  if (drift.length === 0) return { kind: "nothing" };
  const isSame = written !== undefined && findObjectDrift(written.desired, desired).length === 0;
  if (!isSame) {
    return { kind: "write", drift, isRestoration: wasTamperedUnseen(written, cached, desired, evidence) };
  }
  if (!hasCaughtUp(written, cached)) {
    const left = written.writtenAt + CACHE_LAG_MS - now;
    if (left > 0) return { kind: "wait", forMs: left, on: "cache" };
    return { kind: "write", drift, isRestoration: false };
  }
  return { kind: "write", drift, isRestoration: true };
}

function hasCaughtUp(written: Written, cached: KubeObject | undefined): boolean {
  if (written.isSeen) return true;
  if (cached === undefined) return !written.wasCreated;
  const { uid, generation = 0, resourceVersion } = cached.metadata;
  if (uid !== written.uid) return true;
  // A label or a finalizer does not move the generation. Versions of one resource are ordered (KEP-5504).
  const versions = [resourceVersion, written.resourceVersion];
  if (versions.every((version) => version !== undefined && /^\d+$/.test(version))) {
    return BigInt(versions[0] ?? 0) >= BigInt(versions[1] ?? 0);
  }
  return generation >= written.generation;
}

/**
 * Whether somebody else changed what is not as desired, as far as can be told where we do not remember writing just
 * this. Each object says what it was written as: one that still is that was only rendered from something older.
 */
function wasTamperedUnseen(
  written: Written | undefined,
  cached: KubeObject | undefined,
  desired: DesiredObject,
  { departed, wasInForce = false }: Evidence,
): boolean {
  if (cached === undefined) {
    if (written !== undefined) return false;
    return wasInForce || (departed !== undefined && renderingDigest(departed) === renderingDigest(desired));
  }
  const rendered = cached.metadata.annotations?.[RENDERED_ANNOTATION];
  return rendered !== undefined && rendered !== renderingDigest(cached);
}

export interface EnsureResult {
  readonly action: OwnedAction;
  /** The object as the server holds it now, as far as known. */
  readonly object: KubeObject | undefined;
}

/** Writes one object so that it is as desired, and returns it. */
export type OwnedWriter = (
  client: Client,
  type: ResourceType,
  cached: KubeObject | undefined,
  desired: DesiredObject,
  isOurs: boolean,
) => Promise<KubeObject>;

/** An object that is ours alone, owners included. It says what it was written as, to whoever finds it changed. */
export function sealed<T extends DesiredObject>(desired: T): T {
  const { annotations, ownerReferences = [] } = desired.metadata;
  const rendered = { ...annotations, [RENDERED_ANNOTATION]: renderingDigest(desired) };
  return { ...desired, metadata: { ...desired.metadata, annotations: rendered, ownerReferences } };
}

/** Keeps objects exactly as desired, whoever else writes to them. One instance for each field manager. */
export class OwnedObjects {
  readonly #write: OwnedWriter;
  readonly #written = new Map<string, Written>();
  /** uids of what was deleted here last under a name, and not written again: that one went by nobody else's hand. */
  readonly #removed = new Map<string, string | undefined>();

  constructor(writer: string | OwnedWriter) {
    this.#write = typeof writer === "string" ? wholeWriter(writer) : writer;
  }

  /**
   * Brings one object in line. Makes no request when the cache shows it as desired. An object of that name that is
   * somebody else's is left alone.
   * @throws ApiError what the API server answers to the write; a field manager conflict for somebody else's object
   */
  async ensure(
    client: Client,
    type: ResourceType,
    cached: KubeObject | undefined,
    desired: DesiredObject,
    now: number,
    evidence: Evidence = {},
  ): Promise<EnsureResult> {
    const key = `${type.plural}/${desired.metadata.name}`;
    const written = this.#noteSeen(key, cached);
    const action = decideOwned(written, cached, desired, now, this.#removed.has(key) ? {} : evidence);
    if (action.kind === "nothing" && cached !== undefined) this.#noteAsDesired(key, cached, desired, now);
    if (action.kind !== "write") return { action, object: cached };
    let object: KubeObject;
    try {
      // What is neither cached as ours nor written by us before may be somebody else's that bears the name.
      const isOurs = cached !== undefined || written !== undefined;
      object = await this.#write(client, type, cached, desired, isOurs);
    } catch (error) {
      // Somebody wrote, or deleted, in between.
      if (!isNotFound(error) && refusalOf(error)?.isPassing !== true) throw error;
      return { action: { kind: "wait", forMs: FOUGHT_MS, on: "others" }, object: cached };
    }
    this.#removed.delete(key);
    this.#written.set(key, {
      desired,
      uid: object.metadata.uid,
      generation: object.metadata.generation ?? 0,
      resourceVersion: object.metadata.resourceVersion,
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
    const key = `${type.plural}/${name}`;
    this.#written.delete(key);
    if (cached === undefined || cached.metadata.deletionTimestamp !== undefined) return false;
    const { uid } = cached.metadata;
    try {
      await client.delete(type, { name }, uid === undefined ? {} : { preconditions: { uid } });
      this.#removed.set(key, uid);
    } catch (error) {
      if (!isNotFound(error) && refusalOf(error)?.isPassing !== true) throw error;
    }
    return true;
  }

  /** As good as written by us: who starts on what a leader before it wrote would else take tampering for news. */
  #noteAsDesired(key: string, cached: KubeObject, desired: DesiredObject, now: number): void {
    // Unless the cache still shows what was before our last write, and only happens to look right.
    if (this.#written.get(key)?.isSeen === false) return;
    const { uid, generation = 0, resourceVersion } = cached.metadata;
    // Or before our last deletion.
    if (this.#removed.has(key) && this.#removed.get(key) === uid) return;
    this.#removed.delete(key);
    const version = { uid, generation, resourceVersion };
    this.#written.set(key, { desired, ...version, wasCreated: false, writtenAt: now, isSeen: true });
  }

  #noteSeen(key: string, cached: KubeObject | undefined): Written | undefined {
    const written = this.#written.get(key);
    if (written === undefined || written.isSeen || !hasCaughtUp(written, cached)) return written;
    const seen = { ...written, isSeen: true };
    this.#written.set(key, seen);
    return seen;
  }
}

function wholeWriter(fieldManager: string): OwnedWriter {
  return (client, type, cached, desired, isOurs) =>
    writeWhole(client, type, cached, desired, fieldManager, isOurs);
}

/** Applies the object; where others added something that apply leaves alone, replaces it. */
export async function writeWhole(
  client: Client,
  type: ResourceType,
  cached: KubeObject | undefined,
  desired: DesiredObject,
  fieldManager: string,
  isOurs = true,
): Promise<KubeObject> {
  const uid = cached?.metadata.uid;
  const body = {
    ...desired,
    metadata: { ...desired.metadata, ...(uid === undefined ? {} : { uid }) },
  } as unknown as Applicable<KubeObject>;
  const applied = isOurs
    ? await client.apply(type, body, { fieldManager, force: true })
    : await applyUnlessTaken(client, type, body, fieldManager);
  if (findObjectDrift(applied, desired).length === 0) return applied;
  const { resourceVersion } = applied.metadata;
  const whole = {
    ...desired,
    metadata: {
      ...desired.metadata,
      ...(applied.metadata.uid === undefined ? {} : { uid: applied.metadata.uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
  } as unknown as KubeObject;
  return client.replace(type, whole, { fieldManager });
}

/** Leaves alone what is somebody else's. One of ours whose label is gone, so that no cache shows it, is found. */
async function applyUnlessTaken(
  client: Client,
  type: ResourceType,
  body: Applicable<KubeObject>,
  fieldManager: string,
): Promise<KubeObject> {
  const found = await client.find(type, body.metadata);
  // Whoever is faster than this creation is met as a conflict.
  if (found === undefined) return client.apply(type, body, { fieldManager });
  const owners = (body.metadata.ownerReferences ?? []).map(({ uid }) => uid);
  const managers = (found.metadata.managedFields ?? [])
    .filter(({ subresource }) => subresource === undefined)
    .map(({ manager = "unknown" }) => manager);
  const isOurs =
    found.metadata.ownerReferences?.some(({ uid }) => owners.includes(uid)) === true ||
    managers.includes(fieldManager);
  // The API server's own check lets pass what happens to be equal or is not set yet.
  if (!isOurs) throw fieldManagerConflict(type, body.metadata, managers);
  const { uid } = found.metadata;
  const same = { ...body, metadata: { ...body.metadata, ...(uid === undefined ? {} : { uid }) } };
  return client.apply(type, same as Applicable<KubeObject>, { fieldManager, force: true });
}
