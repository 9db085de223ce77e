import { type HeapSlot, IndexedHeap } from "./indexed-heap.ts";
import { RetryLimiter, type RetryPolicy } from "./rate-limit.ts";

/** Priority of items from the initial list, below that of live events (controller-runtime's value). */
export const lowPriority = -100;

export interface AddOptions {
  /** Higher goes first; equal priorities in the order they became ready. Default 0. */
  readonly priority?: number;
  /** Not before this many milliseconds from now. The earliest wish wins. Default 0. */
  readonly afterMs?: number;
}

/** What a worker takes. `waitedMs` is how long the key was ready. */
export interface TakenItem<K> {
  readonly key: K;
  readonly priority: number;
  readonly waitedMs: number;
}

/** Told about each change that a metric follows. Times are milliseconds. */
export interface QueueObserver {
  added(): void;
  retried(): void;
  started(waitedMs: number): void;
  finished(workedMs: number): void;
}

/**
 * - `ready`: in the ready heap, a worker may take it
 * - `delayed`: in the delay heap until `dueAt`
 * - `held`: wanted again while it is being worked on; becomes ready when that is done
 */
type Place = "ready" | "delayed" | "held";

interface Entry<K> extends HeapSlot {
  readonly key: K;
  priority: number;
  place: Place;
  dueAt: number;
  order: number;
  readySince: number;
}

/**
 * The queue without time or waiting: every method takes the monotonic time in milliseconds. Semantics are
 * client-go's (a key waits at most once; a key being worked on is never handed out, and if it was added
 * meanwhile it runs once more) with the priorities of controller-runtime's queue. What it holds is bounded by
 * the keys that wait, are worked on, or failed without being forgotten.
 */
export class WorkQueueState<K> {
  readonly #waiting = new Map<K, Entry<K>>();
  readonly #processing = new Map<K, number>();
  readonly #ready = new IndexedHeap<Entry<K>>(
    (a, b) => a.priority > b.priority || (a.priority === b.priority && a.order < b.order),
  );
  readonly #delayed = new IndexedHeap<Entry<K>>(
    (a, b) => a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.order < b.order),
  );
  readonly #retries: RetryLimiter<K>;
  readonly #observer: QueueObserver | undefined;
  readonly #depths = new Map<number, number>();
  #order = 0;
  #isShutDown = false;

  constructor(nowMs: number, retryPolicy: RetryPolicy = {}, observer?: QueueObserver) {
    this.#retries = new RetryLimiter(retryPolicy, nowMs);
    this.#observer = observer;
  }

  /** Wants `key` worked on. Does nothing after shutdown. */
  add(key: K, nowMs: number, options: AddOptions = {}): void {
    if (this.#isShutDown) return;
    const priority = options.priority ?? 0;
    const afterMs = options.afterMs ?? 0;
    const entry = this.#waiting.get(key);
    if (entry === undefined) this.#addNew(key, priority, afterMs, nowMs);
    else this.#merge(entry, priority, afterMs, nowMs);
  }

  /** Wants `key` again after its back-off. */
  addFailed(key: K, nowMs: number, options: { readonly priority?: number } = {}): void {
    if (this.#isShutDown) return;
    this.#observer?.retried();
    this.add(key, nowMs, { ...options, afterMs: this.#retries.failed(key, nowMs) });
  }

  /** Ends the back-off of `key`: its next failure waits the shortest time again. */
  forget(key: K): void {
    this.#retries.forget(key);
  }

  failuresOf(key: K): number {
    return this.#retries.failuresOf(key);
  }

  /** The next key to work on, or undefined when none is ready. Call {@link done} for it afterwards. */
  take(nowMs: number): TakenItem<K> | undefined {
    if (this.#isShutDown) return undefined;
    this.promote(nowMs);
    const entry = this.#ready.shift();
    if (entry === undefined) return undefined;
    this.#countDepth(entry.priority, -1);
    this.#waiting.delete(entry.key);
    this.#processing.set(entry.key, nowMs);
    const waitedMs = nowMs - entry.readySince;
    this.#observer?.started(waitedMs);
    return { key: entry.key, priority: entry.priority, waitedMs };
  }

  /** Ends the work on a taken key. A key that was not taken is ignored. */
  done(key: K, nowMs: number): void {
    const startedAt = this.#processing.get(key);
    if (startedAt === undefined) return;
    this.#processing.delete(key);
    this.#observer?.finished(nowMs - startedAt);
    const entry = this.#waiting.get(key);
    if (entry?.place === "held") this.#makeReady(entry, nowMs);
  }

  /** Makes due delayed keys ready. Returns true when something became ready to take. */
  promote(nowMs: number): boolean {
    let promoted = false;
    for (let entry = this.#delayed.first; entry !== undefined && entry.dueAt <= nowMs; ) {
      this.#delayed.shift();
      promoted = this.#arrive(entry, nowMs) || promoted;
      entry = this.#delayed.first;
    }
    return promoted;
  }

  /** Takes and adds nothing from here on; work under way may still be {@link done}. */
  shutDown(): void {
    this.#isShutDown = true;
    this.#waiting.clear();
    this.#ready.clear();
    this.#delayed.clear();
    this.#depths.clear();
  }

  get isShutDown(): boolean {
    return this.#isShutDown;
  }

  /** Monotonic time the next delayed key falls due. */
  get nextDueAt(): number | undefined {
    return this.#delayed.first?.dueAt;
  }

  /** Keys a worker could take now (delayed ones not counted). */
  get readyCount(): number {
    return this.#ready.size;
  }

  get processingCount(): number {
    return this.#processing.size;
  }

  /** Everything held in memory: for tests that watch for growth. */
  get retained(): { waiting: number; processing: number; failures: number } {
    return {
      waiting: this.#waiting.size,
      processing: this.#processing.size,
      failures: this.#retries.size,
    };
  }

  /** Ready keys by priority. */
  depths(): ReadonlyMap<number, number> {
    return this.#depths;
  }

  /** Work under way: how long all of it together has taken so far, and the longest, in milliseconds. */
  unfinished(nowMs: number): { totalMs: number; longestMs: number } {
    let totalMs = 0;
    let longestMs = 0;
    for (const startedAt of this.#processing.values()) {
      totalMs += nowMs - startedAt;
      longestMs = Math.max(longestMs, nowMs - startedAt);
    }
    return { totalMs, longestMs };
  }

  #addNew(key: K, priority: number, afterMs: number, nowMs: number): void {
    const entry: Entry<K> = {
      key,
      priority,
      place: "delayed",
      dueAt: nowMs + afterMs,
      order: this.#order++,
      readySince: nowMs,
      heapIndex: -1,
    };
    this.#waiting.set(key, entry);
    if (afterMs > 0) this.#delayed.push(entry);
    else this.#arrive(entry, nowMs);
  }

  /** One entry serves all wishes for its key: the highest priority and the earliest time. */
  #merge(entry: Entry<K>, priority: number, afterMs: number, nowMs: number): void {
    if (priority > entry.priority) this.#raise(entry, priority);
    if (entry.place !== "delayed") return;
    if (afterMs <= 0) {
      this.#delayed.remove(entry);
      this.#arrive(entry, nowMs);
    } else if (nowMs + afterMs < entry.dueAt) {
      entry.dueAt = nowMs + afterMs;
      this.#delayed.moved(entry);
    }
  }

  #raise(entry: Entry<K>, priority: number): void {
    if (entry.place === "ready") {
      this.#countDepth(entry.priority, -1);
      this.#countDepth(priority, 1);
    }
    entry.priority = priority;
    if (entry.place === "ready") this.#ready.moved(entry);
  }

  /** Its time has come. Returns whether it can be taken now. */
  #arrive(entry: Entry<K>, nowMs: number): boolean {
    this.#observer?.added();
    if (this.#processing.has(entry.key)) {
      entry.place = "held";
      return false;
    }
    this.#makeReady(entry, nowMs);
    return true;
  }

  #makeReady(entry: Entry<K>, nowMs: number): void {
    entry.place = "ready";
    entry.readySince = nowMs;
    entry.order = this.#order++;
    this.#ready.push(entry);
    this.#countDepth(entry.priority, 1);
  }

  #countDepth(priority: number, change: number): void {
    const depth = (this.#depths.get(priority) ?? 0) + change;
    if (depth > 0) this.#depths.set(priority, depth);
    else this.#depths.delete(priority);
  }
}
