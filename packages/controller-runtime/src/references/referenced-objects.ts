import { InformerPool } from "../cache/informer-pool.ts";
import { type Clock, realClock, type TimerHandle } from "../clock/clock.ts";
import type { Logger } from "../kubernetes/logger.ts";
import type { KubeObject } from "../kubernetes/objects.ts";
import type { Client, JsonReader } from "../transport/client.ts";
import type { KindReference } from "./plan.ts";
import type { ObjectFeed, ReferenceProblem, WatchSurroundings } from "./reference-watch.ts";
import { ReferencedKind, type ReferencedState } from "./referenced-kind.ts";

export type { ObjectFeed, ReferenceProblem } from "./reference-watch.ts";
export type { ReferencedState } from "./referenced-kind.ts";

export interface ReferencedObjectsOptions {
  readonly client: Client;
  readonly logger: Logger;
  readonly clock?: Clock | undefined;
  /** Namespace of this process; where rights are asked about that are needed everywhere. */
  readonly namespace: string;
  /** What to do where a right is missing; ends a sentence. */
  readonly remedy: string;
  /** Something became known, or it became clear that it will not soon: see `isSettled`. */
  readonly onProgress?: (() => void) | undefined;
  /** An object changed that was known, came, or went. */
  readonly onChanged?: ((object: KubeObject) => void) | undefined;
  /** Told of every object that is held, from the first to the last: for those who keep them in another shape. */
  readonly feed?: ObjectFeed | undefined;
  /** Reads the JSON of objects; see {@link ListOptions.parse}. */
  readonly parse?: JsonReader | undefined;
  /** Most bytes that one watch may hold. Default 32 MiB. */
  readonly maxBytes?: number | undefined;
  /** What to do where that is too little; ends a sentence. */
  readonly remedyForSize?: string | undefined;
  /** How long a reference may be open before it counts as settled. Default 10 s. */
  readonly patienceMs?: number | undefined;
}

const DEFAULT_MAX_BYTES = 32 * 2 ** 20;
const REMEDY_FOR_SIZE = "refer to fewer, by name or namespace, or keep them in a kind of their own";
const DEFAULT_PATIENCE_MS = 10_000;
const unheld: ReferencedState = { state: "unknown", problem: "these objects have not been read yet" };

/** Keeps at hand the objects that somebody refers to: see the README. */
export class ReferencedObjects {
  readonly #options: ReferencedObjectsOptions;
  readonly #clock: Clock;
  readonly #patienceMs: number;
  readonly #around: WatchSurroundings;
  readonly #kinds = new Map<string, ReferencedKind>();
  /** States by reference, as long as nothing moves: one look-up per request and policy costs no search. */
  #states = new WeakMap<KindReference, ReferencedState>();
  #signal: AbortSignal = new AbortController().signal;
  #timer: TimerHandle | undefined;
  #wasSettled = true;

  constructor(options: ReferencedObjectsOptions) {
    const { client, logger, clock = realClock, namespace, remedy, onChanged } = options;
    this.#options = options;
    this.#clock = clock;
    this.#patienceMs = options.patienceMs ?? DEFAULT_PATIENCE_MS;
    this.#around = {
      client,
      namespace,
      remedy,
      pool: new InformerPool({ client, logger, clock, parse: options.parse }),
      maxBytes: options.maxBytes ?? DEFAULT_MAX_BYTES,
      now: () => clock.monotonicNow(),
      run: (work) => this.#run(work),
      onProgress: () => this.#progressed(true),
      onTried: () => this.#progressed(false),
      onChanged: (object) => onChanged?.(object),
      feed: options.feed,
      remedyForSize: options.remedyForSize ?? REMEDY_FOR_SIZE,
    };
  }

  /** Watches what these refer to and no more. Ends all watches when the signal aborts. */
  hold(references: readonly KindReference[], signal: AbortSignal): void {
    if (signal !== this.#signal) {
      this.#signal = signal;
      signal.addEventListener("abort", () => this.#clock.clearTimeout(this.#timer), { once: true });
    }
    const byKind = new Map<string, KindReference[]>();
    for (const reference of references) {
      const key = kindKey(reference);
      const known = byKind.get(key);
      if (known === undefined) byKind.set(key, [reference]);
      else known.push(reference);
    }
    for (const [key, kind] of this.#kinds) {
      if (byKind.has(key)) continue;
      kind.end();
      this.#kinds.delete(key);
    }
    for (const [key, ofKind] of byKind) this.#holdKind(key, ofKind);
    this.#states = new WeakMap();
    this.#wasSettled = this.isSettled;
    this.#arm();
  }

  /**
   * Whether each reference has an answer, or has waited long enough: one to a kind whose objects cannot be read must not
   * hold up everything else.
   */
  get isSettled(): boolean {
    const now = this.#clock.monotonicNow();
    return [...this.#kinds.values()].every(({ openSinceMs }) => {
      return openSinceMs === undefined || now - openSinceMs >= this.#patienceMs;
    });
  }

  /** Answers from memory. */
  readonly lookUp = (reference: KindReference): ReferencedState => {
    const known = this.#states.get(reference);
    if (known !== undefined) return known;
    const state = this.#kinds.get(kindKey(reference))?.state(reference) ?? unheld;
    this.#states.set(reference, state);
    return state;
  };

  /** What keeps the objects from being known; undefined where they are, or may be in a moment. */
  problem(reference: KindReference): ReferenceProblem | undefined {
    const kind = this.#kinds.get(kindKey(reference));
    const found = kind?.problem(reference);
    if (found !== undefined || kind === undefined) return found;
    return this.lookUp(reference).state === "unknown" && this.isSettled ? kind.notRead() : undefined;
  }

  #holdKind(key: string, references: readonly KindReference[]): void {
    const known = this.#kinds.get(key);
    if (known !== undefined) {
      known.hold(references, this.#signal);
      return;
    }
    const [{ apiVersion, kind }] = references as [KindReference];
    const made = new ReferencedKind(apiVersion, kind, this.#around);
    made.hold(references, this.#signal);
    this.#kinds.set(key, made);
    this.#run(made.look(this.#signal));
  }

  #run(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (!this.#signal.aborted)
        this.#options.logger.error({ err: error }, "referenced objects: internal error");
    });
  }

  #progressed(isOtherwise: boolean): void {
    if (this.#signal.aborted) return;
    for (const kind of this.#kinds.values()) kind.prune();
    this.#arm();
    const { isSettled } = this;
    if (!isOtherwise && isSettled === this.#wasSettled) return;
    this.#wasSettled = isSettled;
    this.#states = new WeakMap();
    this.#options.onProgress?.();
  }

  /** For what is to be tried again, and for those whose patience ends. */
  #arm(): void {
    this.#clock.clearTimeout(this.#timer);
    if (this.#signal.aborted) return;
    const now = this.#clock.monotonicNow();
    const due = [...this.#kinds.values()].flatMap(({ dueAtMs, openSinceMs }) => {
      const ends = openSinceMs === undefined ? Number.POSITIVE_INFINITY : openSinceMs + this.#patienceMs;
      return [dueAtMs, ends > now ? ends : Number.POSITIVE_INFINITY];
    });
    const next = Math.min(...due);
    if (next !== Number.POSITIVE_INFINITY)
      this.#timer = this.#clock.setTimeout(() => this.#retry(), Math.max(1, next - now));
  }

  #retry(): void {
    const now = this.#clock.monotonicNow();
    for (const kind of this.#kinds.values()) kind.retry(this.#signal, now);
    this.#progressed(false);
  }
}

function kindKey({ apiVersion, kind }: KindReference): string {
  return `${apiVersion} ${kind}`;
}
