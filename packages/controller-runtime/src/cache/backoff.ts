/** Bounds of the reflector's waits, milliseconds: client-go's 0.8 s to 30 s. */
export const reflectorBackoff = { shortestMs: 800, longestMs: 30_000 } as const;

/**
 * Exponential backoff with full jitter: the n-th wait is uniform between the shortest and a ceiling that
 * doubles each time, so that replicas which lost the server together do not return together.
 */
export class Backoff {
  readonly #shortestMs: number;
  readonly #longestMs: number;
  readonly #random: () => number;
  #failures = 0;

  /** @param random uniform in [0, 1) */
  constructor(random: () => number, bounds: { shortestMs: number; longestMs: number } = reflectorBackoff) {
    this.#random = random;
    this.#shortestMs = bounds.shortestMs;
    this.#longestMs = bounds.longestMs;
  }

  /** Failures since the last {@link reset}. */
  get failures(): number {
    return this.#failures;
  }

  /** How long to wait after one more failure; at least what the server asked for. */
  next(retryAfterMs = 0): number {
    this.#failures++;
    const ceiling = Math.min(this.#longestMs, this.#shortestMs * 2 ** Math.min(this.#failures, 30));
    const waitMs = this.#shortestMs + this.#random() * (ceiling - this.#shortestMs);
    return Math.max(waitMs, retryAfterMs);
  }

  reset(): void {
    this.#failures = 0;
  }
}
