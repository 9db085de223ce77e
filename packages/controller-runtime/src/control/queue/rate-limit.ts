/**
 * Tokens refill at `perSecond` up to `burst`; a taker may go below zero and is told how long to wait.
 * Pure: time comes in as milliseconds of a monotonic clock.
 */
export class TokenBucket {
  readonly perSecond: number;
  readonly burst: number;
  #tokens: number;
  #at: number;

  constructor(perSecond: number, burst: number, nowMs: number) {
    this.perSecond = perSecond;
    this.burst = burst;
    this.#tokens = burst;
    this.#at = nowMs;
  }

  /** Takes a token in any case; returns the milliseconds until it is really there. */
  reserve(nowMs: number): number {
    this.#refill(nowMs);
    this.#tokens -= 1;
    return this.#tokens >= 0 ? 0 : (-this.#tokens / this.perSecond) * 1000;
  }

  /** Takes a token if there is one. */
  tryTake(nowMs: number): boolean {
    this.#refill(nowMs);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  #refill(nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - this.#at);
    this.#at = Math.max(this.#at, nowMs);
    this.#tokens = Math.min(this.burst, this.#tokens + (elapsedMs / 1000) * this.perSecond);
  }
}

/** How long a key that failed waits before it is tried again. */
export interface RetryPolicy {
  /** First retry of a key, milliseconds; each further failure doubles it. Default 5. */
  readonly baseDelayMs?: number;
  /** Longest back-off of one key, milliseconds. Default 1,000,000 (1000 s). */
  readonly maxDelayMs?: number;
  /** Retries of all keys together, per second. Default 10. */
  readonly perSecond?: number;
  /** How many retries may come at once before `perSecond` holds. Default 100. */
  readonly burst?: number;
}

/**
 * client-go's default: the longer of the key's own exponential back-off and the wait for a token that all
 * keys share (`util/workqueue/default_rate_limiters.go`). Holds one number per key that failed and was not
 * forgotten since.
 */
export class RetryLimiter<K> {
  readonly #baseDelayMs: number;
  readonly #maxDelayMs: number;
  readonly #failures = new Map<K, number>();
  readonly #bucket: TokenBucket;

  constructor(policy: RetryPolicy, nowMs: number) {
    this.#baseDelayMs = policy.baseDelayMs ?? 5;
    this.#maxDelayMs = policy.maxDelayMs ?? 1_000_000;
    this.#bucket = new TokenBucket(policy.perSecond ?? 10, policy.burst ?? 100, nowMs);
  }

  /** Counts a failure of `key`; returns milliseconds to wait. */
  failed(key: K, nowMs: number): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const own = Math.min(this.#maxDelayMs, this.#baseDelayMs * 2 ** Math.min(failures, 64));
    return Math.max(own, this.#bucket.reserve(nowMs));
  }

  forget(key: K): void {
    this.#failures.delete(key);
  }

  failuresOf(key: K): number {
    return this.#failures.get(key) ?? 0;
  }

  /** How many keys have a failure on record. */
  get size(): number {
    return this.#failures.size;
  }
}
