import type { KubeObject } from "../kubernetes/objects.ts";
import { keyString, type ResourceType } from "../kubernetes/resource-type.ts";
import { discoverKind } from "../transport/discovery.ts";
import { covers, type KindReference, planWatches, scopeKey, scopeOf } from "./plan.ts";
import {
  BY_NAMESPACE,
  messageOf,
  type ReferenceProblem,
  ReferenceWatch,
  type WatchSurroundings,
} from "./reference-watch.ts";

/** What is known of the objects a reference covers. */
export type ReferencedState =
  | {
      readonly state: "known";
      readonly isNamespaced: boolean;
      /** `namespace` is empty for a cluster-scoped kind. It may be any object of the kind that is at hand. */
      get(namespace: string, name: string): KubeObject | undefined;
      /** At least those the reference covers. */
      list(namespace: string): readonly KubeObject[];
    }
  /** The API server has no such kind. */
  | { readonly state: "notServed" }
  | { readonly state: "unknown"; readonly problem: string };

/** A kind that is not served may come with its CustomResourceDefinition any time. */
const LOOK_AGAIN_MS = 5_000;

/** A kind that is referred to, and its watches. */
export class ReferencedKind {
  readonly startedAtMs: number;
  readonly #around: WatchSurroundings;
  readonly #apiVersion: string;
  readonly #kind: string;
  readonly #watches = new Map<string, ReferenceWatch>();
  #references: readonly KindReference[] = [];
  /** undefined: not looked up yet; null: there is none. */
  #type: ResourceType | null | undefined;
  #problem: ReferenceProblem | undefined;
  #retryAtMs: number | undefined;
  #hasEnded = false;

  constructor(apiVersion: string, kind: string, around: WatchSurroundings) {
    this.#apiVersion = apiVersion;
    this.#kind = kind;
    this.#around = around;
    this.startedAtMs = around.now();
  }

  hold(references: readonly KindReference[], signal: AbortSignal): void {
    this.#references = references;
    if (this.#type) this.#follow(signal);
  }

  /** Asks whether the kind is served, and watches it if it is. */
  async look(signal: AbortSignal): Promise<void> {
    this.#retryAtMs = undefined;
    try {
      const named = { apiVersion: this.#apiVersion, kind: this.#kind };
      const type = (await discoverKind(this.#around.client, named, signal)) ?? null;
      this.#found(type, undefined, signal);
    } catch (error) {
      const message = `${this.#name()} could not be looked up: ${messageOf(error)}`;
      this.#found(this.#type, { reason: "NotRead", message }, signal);
    }
  }

  #found(
    type: ResourceType | null | undefined,
    problem: ReferenceProblem | undefined,
    signal: AbortSignal,
  ): void {
    if (this.#hasEnded || signal.aborted) return;
    const isNews = type !== this.#type || problem?.message !== this.#problem?.message;
    this.#type = type;
    this.#problem = problem;
    if (type) this.#follow(signal);
    else this.#retryAtMs = this.#around.now() + LOOK_AGAIN_MS;
    if (isNews) this.#around.onProgress();
    else this.#around.onTried();
  }

  /** Begins again what is due. */
  retry(signal: AbortSignal, nowMs: number): void {
    if (this.#retryAtMs !== undefined && this.#retryAtMs <= nowMs) this.#around.run(this.look(signal));
    for (const watch of this.#watches.values()) {
      if (watch.retryAtMs !== undefined && watch.retryAtMs <= nowMs) this.#around.run(watch.open(signal));
    }
  }

  /** When something is due, by `now`. */
  get dueAtMs(): number {
    const times = [this.#retryAtMs, ...[...this.#watches.values()].map(({ retryAtMs }) => retryAtMs)];
    return Math.min(...times.map((at) => at ?? Number.POSITIVE_INFINITY));
  }

  /** When the youngest of what is still open began; undefined where all is settled. */
  get openSinceMs(): number | undefined {
    if (this.#type === null || this.#problem !== undefined) return undefined;
    if (this.#type === undefined) return this.startedAtMs;
    const open = [...this.#watches.values()].filter(({ isSettled }) => !isSettled);
    return open.length === 0 ? undefined : Math.max(...open.map(({ startedAtMs }) => startedAtMs));
  }

  state(reference: KindReference): ReferencedState {
    if (this.#type === null) return { state: "notServed" };
    const type = this.#type;
    const scope = scopeOf(reference);
    for (const watch of type === undefined ? [] : this.#watches.values()) {
      const { synced } = watch;
      if (synced === undefined || !covers(watch.scope, scope)) continue;
      const { store } = synced;
      return {
        state: "known",
        isNamespaced: type?.namespaced === true,
        get: (namespace, name) => store.get(keyString({ namespace, name })),
        list: (namespace) => store.byIndex(BY_NAMESPACE, namespace),
      };
    }
    return { state: "unknown", problem: this.problem(reference)?.message ?? this.#notYet() };
  }

  /** What stands in the way of a reference, if anything does but the time it takes. */
  problem(reference: KindReference): ReferenceProblem | undefined {
    if (this.#type === null)
      return {
        reason: "KindNotInstalled",
        message: `the API server has no ${this.#name()}: install its CustomResourceDefinition`,
      };
    if (this.#problem !== undefined) return this.#problem;
    const scope = scopeOf(reference);
    const covering = [...this.#watches.values()].filter((watch) => covers(watch.scope, scope));
    if (covering.some(({ synced }) => synced !== undefined)) return undefined;
    return covering.find(({ problem }) => problem !== undefined)?.problem;
  }

  /** As a problem, for those that have waited long enough. */
  notRead(): ReferenceProblem {
    return {
      reason: "NotRead",
      message: `${this.#notYet()}; the log of ShieldX says what the API server answers`,
    };
  }

  end(): void {
    this.#hasEnded = true;
    for (const watch of this.#watches.values()) watch.end();
    this.#watches.clear();
  }

  /** Watches that are no longer wanted go once those that are have an answer. */
  prune(): void {
    const wanted = this.#wanted();
    if ([...wanted.keys()].some((key) => this.#watches.get(key)?.isSettled !== true)) return;
    for (const [key, watch] of this.#watches) {
      if (wanted.has(key)) continue;
      watch.end();
      this.#watches.delete(key);
    }
  }

  #follow(signal: AbortSignal): void {
    const type = this.#type;
    if (!type) return;
    for (const [key, scope] of this.#wanted()) {
      if (this.#watches.has(key)) continue;
      const watch = new ReferenceWatch(type, scope, this.#around);
      this.#watches.set(key, watch);
      this.#around.run(watch.open(signal));
    }
    this.prune();
  }

  #wanted() {
    return new Map(planWatches(this.#references).map((scope) => [scopeKey(scope), scope]));
  }

  #notYet(): string {
    return `objects of ${this.#name()} have not been read yet`;
  }

  #name(): string {
    return `kind ${this.#kind} of ${this.#apiVersion}`;
  }
}
