import {
  apiVersionOf,
  type Client,
  type Informer,
  type InformerHandler,
  InformerPool,
  type KubeObject,
  keyOf,
  type Logger,
  type ResourceType,
  resourceTypeKey,
} from "@shieldx/controller-runtime";
import { type JsonRecord, jsonEquals, parseExactJson } from "@shieldx/policy-engine";
import { type AuditedObject, auditedObject, auditKey } from "./audited-object.ts";
import { slim } from "./judge.ts";

/** A kind to keep in a cache; `isWhole`: all of each object, for rules that may look at anything. */
export interface CachedKind {
  readonly type: ResourceType;
  readonly isWhole: boolean;
  /** For policies of tenants, theirs; left out, all. */
  readonly namespace?: string;
}

export interface AuditCacheEvents {
  /** `type` as `keys` gives it. */
  changed(type: string, key: string): void;
  /** By {@link auditKey}. */
  deleted(key: string): void;
}

interface Cache extends CachedKind {
  readonly informer: Informer;
  readonly startedAtMs: number;
}

/** How long results wait for the first list of a kind that policies name. */
const PATIENCE_MS = 60_000;
/** For a kind that a tenant names. */
const TENANT_PATIENCE_MS = 5_000;

/** Caches of the kinds that are audited at present; one starts and stops as policies come and go. */
export class AuditCaches {
  readonly #pool: InformerPool;
  readonly #events: AuditCacheEvents;
  readonly #caches = new Map<string, Cache>();

  constructor(client: Client, logger: Logger, events: AuditCacheEvents) {
    this.#pool = new InformerPool({ client, logger, parse: parseExactJson });
    this.#events = events;
  }

  /** Start the caches of `kinds` that are missing and end the others. */
  hold(kinds: readonly CachedKind[], signal: AbortSignal): void {
    const wanted = new Map(kinds.map((kind) => [cacheKey(kind.type, kind.namespace), kind]));
    for (const [key, cache] of this.#caches) {
      const kind = wanted.get(key);
      // Parts that were dropped come back only with a new list.
      if (kind !== undefined && (cache.isWhole || !kind.isWhole)) continue;
      this.#pool.stop(key);
      this.#caches.delete(key);
      // Of one that is only begun anew too: what is gone by then would never be missed.
      for (const object of cache.informer.store.list()) this.#events.deleted(keyIn(object));
    }
    for (const [key, kind] of wanted) if (!this.#caches.has(key)) this.#start(kind, signal);
  }

  /** Kinds that policies name may be ones that can never be listed: the others do not wait for them for ever. */
  get isSynced(): boolean {
    return [...this.#caches.values()].every(
      ({ informer, isWhole, namespace, startedAtMs }) =>
        informer.hasSynced ||
        (isWhole &&
          performance.now() - startedAtMs > (namespace === undefined ? PATIENCE_MS : TENANT_PATIENCE_MS)),
    );
  }

  /** By what `keys` gives. Of two caches that hold an object, the one of its namespace has it whole. */
  get(type: string, key: string): { readonly type: ResourceType; readonly object: KubeObject } | undefined {
    const cache = this.#caches.get(type);
    if (cache?.namespace === undefined) {
      const ofNamespace = this.#caches.get(`${type}@${key.slice(0, key.indexOf("/"))}`);
      if (ofNamespace?.informer.store.get(key) !== undefined) return undefined;
    }
    const object = cache?.informer.store.get(key);
    return cache === undefined || object === undefined ? undefined : { type: cache.type, object };
  }

  /** Type and key of an object in the caches; undefined where it is in none any more. */
  find({ apiVersion, kind, namespace, name }: AuditedObject): { type: string; key: string } | undefined {
    const key = namespace === "" ? name : `${namespace}/${name}`;
    for (const [type, { informer }] of this.#caches) {
      const is = informer.type;
      if (is.kind === kind && apiVersionOf(is) === apiVersion && informer.store.get(key) !== undefined)
        return { type, key };
    }
    return undefined;
  }

  /** Every cached object's type and key, or those of one namespace. */
  *keys(namespace?: string): Iterable<{ readonly type: string; readonly key: string }> {
    for (const [type, { informer }] of this.#caches) {
      for (const key of informer.store.keys()) {
        if (namespace === undefined || key.startsWith(`${namespace}/`)) yield { type, key };
      }
    }
  }

  #start({ type, isWhole, namespace }: CachedKind, signal: AbortSignal): void {
    const key = cacheKey(type, namespace);
    const handler: InformerHandler<KubeObject> = {
      added: (object) => this.#events.changed(key, keyOf(object)),
      updated: (old, object) => {
        if (isJudgedAlike(old, object)) return;
        this.#events.changed(key, keyOf(object));
      },
      deleted: (last) => this.#events.deleted(keyIn(last)),
    };
    const options = { type, namespace, ...(isWhole ? {} : { transform: slim }) };
    const informer = this.#pool.start(key, options, handler, signal);
    const part = namespace === undefined ? {} : { namespace };
    this.#caches.set(key, { type, isWhole, ...part, informer, startedAtMs: performance.now() });
  }
}

function cacheKey(type: ResourceType, namespace: string | undefined): string {
  const key = resourceTypeKey(type);
  return namespace === undefined ? key : `${key}@${namespace}`;
}

function keyIn(object: KubeObject): string {
  return auditKey(auditedObject(object));
}

/** Most updates of a Pod are of its status, which was dropped: what is left is then the same but for its version. */
function isJudgedAlike(old: KubeObject, object: KubeObject): boolean {
  return jsonEquals(judgedPart(old), judgedPart(object));
}

function judgedPart({ metadata, ...rest }: KubeObject): JsonRecord {
  const { resourceVersion: _version, generation: _generation, ...below } = metadata;
  return { ...rest, metadata: below } as unknown as JsonRecord;
}
