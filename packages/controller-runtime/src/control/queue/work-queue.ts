import type { Clock, TimerHandle } from "../../clock/clock.ts";
import { realClock } from "../../clock/clock.ts";
import type { RetryPolicy } from "./rate-limit.ts";
import type { WorkQueueMetrics } from "./work-queue-metrics.ts";
import { type AddOptions, type QueueObserver, type TakenItem, WorkQueueState } from "./work-queue-state.ts";

export interface WorkQueueOptions {
  readonly name: string;
  /** Value of the metrics' `controller` label; default `name`. */
  readonly controller?: string;
  readonly clock?: Clock;
  readonly retry?: RetryPolicy;
  readonly metrics?: WorkQueueMetrics;
}

/** `WorkQueueState` with a clock: wakes waiting workers when something becomes ready. */
export class WorkQueue<K> {
  readonly name: string;
  readonly #state: WorkQueueState<K>;
  readonly #clock: Clock;
  readonly #takers: ((item: TakenItem<K> | undefined) => void)[] = [];
  readonly #drained: (() => void)[] = [];
  readonly #unregister: () => void;
  #timer: TimerHandle | undefined;
  #timerDueAt = Number.POSITIVE_INFINITY;

  constructor(options: WorkQueueOptions) {
    this.name = options.name;
    this.#clock = options.clock ?? realClock;
    const observer: QueueObserver | undefined = options.metrics?.observe(
      { name: options.name, controller: options.controller ?? options.name },
      () => ({ depths: this.#state.depths(), ...this.#state.unfinished(this.#clock.monotonicNow()) }),
    );
    this.#unregister = () => options.metrics?.forget(options.name);
    this.#state = new WorkQueueState(this.#clock.monotonicNow(), options.retry, observer);
  }

  /** Wants `key` worked on; see {@link AddOptions}. */
  add(key: K, options?: AddOptions): void {
    this.#state.add(key, this.#clock.monotonicNow(), options);
    this.#wake();
  }

  /** Wants `key` again after its back-off (5 ms doubling to 1000 s, or the wait for the shared bucket). */
  addFailed(key: K, options?: { readonly priority?: number }): void {
    this.#state.addFailed(key, this.#clock.monotonicNow(), options);
    this.#wake();
  }

  /** Ends the back-off of `key`. Call it whenever work on a key ends without a retry. */
  forget(key: K): void {
    this.#state.forget(key);
  }

  /** How often `key` failed since it was last forgotten. */
  failuresOf(key: K): number {
    return this.#state.failuresOf(key);
  }

  /** The next key if one is ready now. */
  tryTake(): TakenItem<K> | undefined {
    return this.#state.take(this.#clock.monotonicNow());
  }

  /** The next key, waiting for one; undefined once the queue is shut down. Call {@link done} for it. */
  take(): Promise<TakenItem<K> | undefined> {
    const item = this.tryTake();
    if (item !== undefined || this.#state.isShutDown) return Promise.resolve(item);
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  /** Ends the work on a key that was taken. */
  done(key: K): void {
    this.#state.done(key, this.#clock.monotonicNow());
    if (this.#state.isShutDown) this.#checkDrained();
    else this.#wake();
  }

  /** Hands out nothing more and accepts nothing; resolves when the work under way is done. */
  shutDown(): Promise<void> {
    this.#state.shutDown();
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const resolve of this.#takers.splice(0)) resolve(undefined);
    this.#unregister();
    return new Promise((resolve) => {
      this.#drained.push(resolve);
      this.#checkDrained();
    });
  }

  get isShutDown(): boolean {
    return this.#state.isShutDown;
  }

  /** Keys a worker could take now. */
  get length(): number {
    return this.#state.readyCount;
  }

  /** Everything held in memory: for tests that watch for growth. */
  get retained(): { waiting: number; processing: number; failures: number } {
    return this.#state.retained;
  }

  #checkDrained(): void {
    if (this.#state.processingCount > 0) return;
    for (const resolve of this.#drained.splice(0)) resolve();
  }

  /** Hands ready keys to waiting workers and keeps one timer for the next delayed key. */
  #wake(): void {
    while (this.#takers.length > 0) {
      const item = this.tryTake();
      if (item === undefined) break;
      this.#takers.shift()?.(item);
    }
    const dueAt = this.#state.nextDueAt ?? Number.POSITIVE_INFINITY;
    if (dueAt === this.#timerDueAt) return;
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerDueAt = dueAt;
    if (dueAt === Number.POSITIVE_INFINITY) return;
    this.#timer = this.#clock.setTimeout(
      () => {
        this.#timerDueAt = Number.POSITIVE_INFINITY;
        this.#timer = undefined;
        this.#state.promote(this.#clock.monotonicNow());
        this.#wake();
      },
      Math.max(0, dueAt - this.#clock.monotonicNow()),
    );
  }
}
