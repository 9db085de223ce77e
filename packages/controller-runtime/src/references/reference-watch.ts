import { serialize } from "node:v8";
import { findMissingRights, type NeededRights } from "../authorization/rights.ts";
import type { Informer } from "../cache/informer.ts";
import type { InformerPool } from "../cache/informer-pool.ts";
import type { KubeObject } from "../kubernetes/objects.ts";
import { groupResourceOf, keyOf, type ResourceType } from "../kubernetes/resource-type.ts";
import type { Client } from "../transport/client.ts";
import { scopeKey, type WatchScope } from "./plan.ts";

/** Why objects are not known, for people. */
export interface ReferenceProblem {
  readonly reason: "KindNotInstalled" | "MissingRights" | "NotRead" | "ObjectsTooLarge";
  readonly message: string;
}

/** Takes objects as they come, change and go. An object of two watches is put by both, and gone with the first that ends. */
export interface ObjectFeed {
  put(object: KubeObject): void;
  delete(object: KubeObject): void;
}

/** What the watches of one `ReferencedObjects` have in common. */
export interface WatchSurroundings {
  readonly client: Client;
  readonly pool: InformerPool;
  /** Most bytes of JSON of the objects of one watch. */
  readonly maxBytes: number;
  /** Ends a message about rights: what to do to grant them. */
  readonly remedy: string;
  /** Where rights are asked about that are needed everywhere. */
  readonly namespace: string;
  readonly now: () => number;
  /** Takes work that ends by itself and fails only by a defect of ours. */
  readonly run: (work: Promise<void>) => void;
  /** Something of it is otherwise than before. */
  readonly onProgress: () => void;
  /** Another try came to the same. */
  readonly onTried: () => void;
  readonly onChanged: (object: KubeObject) => void;
  readonly feed: ObjectFeed | undefined;
  /** Ends a message about objects that are too large together. */
  readonly remedyForSize: string;
}

const RETRY_MS = { MissingRights: 10_000, NotRead: 5_000, ObjectsTooLarge: 300_000 } as const;

/** Index of an informer's store by namespace. */
export const BY_NAMESPACE = "namespace";

/** One watch, from the question whether it is allowed to its end. */
export class ReferenceWatch {
  readonly scope: WatchScope;
  readonly startedAtMs: number;
  readonly #around: WatchSurroundings;
  readonly #type: ResourceType;
  readonly #key: string;
  readonly #ending = new AbortController();
  readonly #sizes = new Map<string, number>();
  #bytes = 0;
  #informer: Informer | undefined;
  #problem: ReferenceProblem | undefined;
  /** When to try again, by `now`; undefined: it is under way. */
  #retryAtMs: number | undefined;

  constructor(type: ResourceType, scope: WatchScope, around: WatchSurroundings) {
    this.scope = scope;
    this.#type = type;
    this.#around = around;
    this.startedAtMs = around.now();
    this.#key = `${type.group}/${type.version}/${type.plural} ${scopeKey(scope)}`;
  }

  get problem(): ReferenceProblem | undefined {
    return this.#problem;
  }

  get retryAtMs(): number | undefined {
    return this.#retryAtMs;
  }

  /** The informer once all there is has been read. */
  get synced(): Informer | undefined {
    return this.#informer?.hasSynced === true ? this.#informer : undefined;
  }

  /** Whether there is an answer, be it that there is none. */
  get isSettled(): boolean {
    return this.synced !== undefined || this.#problem !== undefined;
  }

  async open(signal: AbortSignal): Promise<void> {
    this.#retryAtMs = undefined;
    const until = AbortSignal.any([signal, this.#ending.signal]);
    try {
      const missing = await findMissingRights(
        this.#around.client,
        this.#needs(),
        this.scope.namespace ?? this.#around.namespace,
        until,
      );
      if (until.aborted) return;
      if (missing.length > 0)
        return this.#fail("MissingRights", `ShieldX may not read ${this.#what()}: ${this.#around.remedy}`);
      this.#begin(until);
    } catch (error) {
      if (until.aborted) return;
      this.#fail("NotRead", `${this.#what()} could not be read: ${messageOf(error)}`);
    }
  }

  end(): void {
    this.#ending.abort(new Error("nobody refers to these objects any more"));
    if (this.#informer !== undefined && this.#around.pool.get(this.#key) === this.#informer)
      this.#letGo(this.#informer);
  }

  /** `limits.rules.example.com "team-a" in namespace "x"` */
  #what(): string {
    const { namespace, name } = this.scope;
    const named = name === undefined ? "" : ` "${name}"`;
    return `${groupResourceOf(this.#type)}${named}${namespace === undefined ? "" : ` in namespace "${namespace}"`}`;
  }

  /** As narrow as the watch. */
  #needs(): NeededRights {
    const { namespace, name } = this.scope;
    const rule = {
      apiGroups: [this.#type.group],
      resources: [this.#type.plural],
      verbs: ["list", "watch"],
      ...(name === undefined ? {} : { resourceNames: [name] }),
    };
    return namespace === undefined || !this.#type.namespaced
      ? { cluster: [rule], namespace: [] }
      : { cluster: [], namespace: [rule] };
  }

  #begin(signal: AbortSignal): void {
    const { pool, onChanged, onProgress } = this.#around;
    const { namespace, name, labels } = this.scope;
    const size = (object: KubeObject, bytes: number): void => this.#weigh(keyOf(object), bytes);
    const { feed } = this.#around;
    const informer = pool.start(
      this.#key,
      {
        type: this.#type,
        namespace,
        labelSelector: labels,
        ...(name === undefined ? {} : { fieldSelector: `metadata.name=${name}` }),
        indexers: { [BY_NAMESPACE]: (object) => [object.metadata.namespace ?? ""] },
      },
      {
        added: (object, isInitial) => {
          feed?.put(object);
          size(object, bytesOf(object));
          if (!isInitial) onChanged(object);
        },
        updated: (_, object) => {
          feed?.put(object);
          size(object, bytesOf(object));
          onChanged(object);
        },
        deleted: (object) => {
          feed?.delete(object);
          size(object, 0);
          onChanged(object);
        },
      },
      signal,
    );
    this.#informer = informer;
    informer.synced(signal).then(
      () => {
        if (this.#informer === informer) this.#problem = undefined;
        onProgress();
      },
      () => undefined, // ended before: nobody waits
    );
  }

  #weigh(key: string, bytes: number): void {
    this.#bytes += bytes - (this.#sizes.get(key) ?? 0);
    if (bytes === 0) this.#sizes.delete(key);
    else this.#sizes.set(key, bytes);
    if (this.#bytes <= this.#around.maxBytes || this.#informer === undefined) return;
    this.#letGo(this.#informer);
    this.#informer = undefined;
    this.#sizes.clear();
    this.#bytes = 0;
    const most = `${Math.floor(this.#around.maxBytes / 2 ** 20)} MiB`;
    this.#fail("ObjectsTooLarge", `${this.#what()} come to more than ${most}: ${this.#around.remedyForSize}`);
  }

  #letGo(informer: Informer): void {
    this.#around.pool.stop(this.#key);
    const { feed } = this.#around;
    if (feed !== undefined) for (const object of informer.store.list()) feed.delete(object);
  }

  #fail(reason: keyof typeof RETRY_MS, message: string): void {
    const isNews = this.#problem?.message !== message;
    this.#problem = { reason, message };
    this.#retryAtMs = this.#around.now() + RETRY_MS[reason];
    if (isNews) this.#around.onProgress();
    else this.#around.onTried();
  }
}

/** Close to what the object takes in memory. */
function bytesOf(object: KubeObject): number {
  return serialize(object).length;
}

/** Whatever came instead of an answer is tried again. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
