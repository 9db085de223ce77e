import {
  type Client,
  findMissingRights,
  groupResourceOf,
  type Informer,
  InformerPool,
  type KubeObject,
  keyOf,
  type Logger,
  type ResourceType,
  resourceType,
  resourceTypeKey,
} from "@shieldx/controller-runtime";
import { GENERATED_KINDS, GENERATION_VERBS, type GeneratedKind, LABEL } from "@shieldx/crds";
import { FIELD_MANAGER } from "../../names.ts";
import type { PresentObject } from "./decide.ts";

/** How often rights that were missing are looked for again. */
const RECHECK_MS = 30_000;
/** How long the cache may lag behind an object that we have made. */
const LAG_MS = 5_000;

/** `missing`: which rights, as people write them. */
export type KindState =
  | { readonly kind: "ready" }
  | { readonly kind: "starting" }
  | { readonly kind: "refused"; readonly missing: string };

/** A namespace in which an object of this generator changed. */
export interface Touched {
  readonly generator: string;
  readonly namespace: string;
}

interface Cache {
  readonly of: GeneratedKind;
  readonly type: ResourceType;
  informer: Informer | undefined;
  missing: string | undefined;
  checkedAtMs: number;
}

const BY_NAMESPACE = "namespace";

/**
 * Caches of the objects that bear a generator's label, of every kind that the operator's roles let it keep. A kind without
 * rights has none, and is looked at again while somebody needs it.
 */
export class GeneratedCaches {
  readonly #client: Client;
  readonly #namespace: string;
  readonly #logger: Logger;
  readonly #monotonicNow: () => number;
  readonly #pool: InformerPool;
  readonly #caches: readonly Cache[];
  readonly #listeners: ((touched: Touched) => void)[] = [];
  /** Objects that we have made and the cache has not shown yet, and until when to wait for it. */
  readonly #made = new Map<string, number>();
  #signal: AbortSignal | undefined;

  constructor(parts: { client: Client; namespace: string; logger: Logger; monotonicNow: () => number }) {
    this.#client = parts.client;
    this.#namespace = parts.namespace;
    this.#logger = parts.logger;
    this.#monotonicNow = parts.monotonicNow;
    this.#pool = new InformerPool({ client: parts.client, logger: parts.logger });
    this.#caches = GENERATED_KINDS.map((of) => ({
      of,
      type: resourceType({ ...of, namespaced: true }),
      informer: undefined,
      missing: undefined,
      checkedAtMs: Number.NEGATIVE_INFINITY,
    }));
  }

  onTouched(listener: (touched: Touched) => void): void {
    this.#listeners.push(listener);
  }

  /** Begins to watch what may be watched. Kinds are looked at one by one, so that none waits for the others' rights. */
  async start(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    for (const cache of this.#caches) await this.#check(cache);
  }

  /** How this kind stands; asks for the rights again where they were missing a while ago. */
  async state(of: GeneratedKind): Promise<KindState> {
    const cache = this.#of(of);
    if (cache === undefined || this.#signal === undefined) return { kind: "starting" };
    if (cache.informer === undefined && this.#monotonicNow() - cache.checkedAtMs >= RECHECK_MS)
      await this.#check(cache);
    if (cache.informer !== undefined) return { kind: cache.informer.hasSynced ? "ready" : "starting" };
    return cache.missing === undefined ? { kind: "starting" } : { kind: "refused", missing: cache.missing };
  }

  /** Whether all caches there are have their first list: what is not in them is then really not there. */
  get haveSynced(): boolean {
    return this.#signal !== undefined && this.#caches.every(({ informer }) => informer?.hasSynced !== false);
  }

  typeOf(of: GeneratedKind): ResourceType {
    return this.#of(of)?.type ?? resourceType({ ...of, namespaced: true });
  }

  presentIn(namespace: string): PresentObject[] {
    return this.#caches.flatMap(({ of, informer }) =>
      (informer?.store.byIndex(BY_NAMESPACE, namespace) ?? []).map((object) => ({ of, object })),
    );
  }

  /** Namespaces in which something bears the label of this generator. */
  namespacesOf(generator: string): ReadonlySet<string> {
    const namespaces = new Set<string>();
    for (const { informer } of this.#caches) {
      for (const { metadata } of informer?.store.list() ?? [])
        if (metadata.labels?.[LABEL.generator] === generator) namespaces.add(metadata.namespace ?? "");
    }
    return namespaces;
  }

  noteMade(type: ResourceType, object: KubeObject): void {
    this.#made.set(madeKey(type, object), this.#monotonicNow() + LAG_MS);
  }

  forgetMade(type: ResourceType, object: KubeObject): void {
    this.#made.delete(madeKey(type, object));
  }

  /** Whether we have just made it, so that its absence only means that the cache lags. */
  isUnderWay(type: ResourceType, object: KubeObject): boolean {
    const key = madeKey(type, object);
    const until = this.#made.get(key);
    if (until === undefined) return false;
    if (until > this.#monotonicNow()) return true;
    this.#made.delete(key);
    return false;
  }

  #of(of: GeneratedKind): Cache | undefined {
    return this.#caches.find((cache) => cache.of.kind === of.kind);
  }

  async #check(cache: Cache): Promise<void> {
    const { of, type } = cache;
    cache.checkedAtMs = this.#monotonicNow();
    const needed = { apiGroups: [of.group], resources: [of.plural], verbs: [...GENERATION_VERBS] };
    try {
      const missing = await findMissingRights(
        this.#client,
        { cluster: [needed], namespace: [] },
        this.#namespace,
        this.#signal,
      );
      cache.missing = missing.length === 0 ? undefined : missing.join("; ");
    } catch (error) {
      // Asked again soon: what is not known is neither granted nor refused.
      if (this.#signal?.aborted !== true)
        this.#logger.warn({ err: error, resource: groupResourceOf(type) }, "rights could not be looked up");
      return;
    }
    if (cache.missing === undefined && cache.informer === undefined) this.#watch(cache);
  }

  #watch(cache: Cache): void {
    if (this.#signal === undefined) return;
    const { type } = cache;
    const touched = (object: KubeObject): void => {
      this.#made.delete(madeKey(type, object));
      const { namespace = "", labels } = object.metadata;
      const generator = labels?.[LABEL.generator];
      if (generator === undefined) return;
      for (const listener of this.#listeners) listener({ generator, namespace });
    };
    cache.informer = this.#pool.start(
      resourceTypeKey(type),
      {
        type,
        labelSelector: LABEL.generator,
        keepManagedFieldsOf: FIELD_MANAGER.generation,
        indexers: { [BY_NAMESPACE]: ({ metadata }) => [metadata.namespace ?? ""] },
      },
      {
        added: touched,
        updated: (old, object) => {
          // It may have gone from one generator to another.
          if (old.metadata.labels?.[LABEL.generator] !== object.metadata.labels?.[LABEL.generator])
            touched(old);
          touched(object);
        },
        deleted: touched,
      },
      this.#signal,
    );
  }
}

function madeKey(type: ResourceType, object: KubeObject): string {
  return `${resourceTypeKey(type)} ${keyOf(object)}`;
}
