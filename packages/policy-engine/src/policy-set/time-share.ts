/**
 * How much of the process's time somebody may take. Evaluation is synchronous: whatever decisions over HTTP or policies of
 * tenants take, admission reviews wait for, and those hold up the whole cluster. Pure: time comes in as milliseconds of a
 * monotonic clock.
 */
export class TimeShare {
  readonly #share: number;
  readonly #burstMs: number;
  #leftMs: number;
  #at: number;

  /** @param share of all time; @param burstMs what may be used at once after a pause */
  constructor(share: number, burstMs: number, nowMs: number) {
    this.#share = share;
    this.#burstMs = burstMs;
    this.#leftMs = burstMs;
    this.#at = nowMs;
  }

  /** Milliseconds to wait until there is time for another; 0: now. */
  waitMs(nowMs: number): number {
    const elapsedMs = Math.max(0, nowMs - this.#at);
    this.#at = Math.max(this.#at, nowMs);
    this.#leftMs = Math.min(this.#burstMs, this.#leftMs + elapsedMs * this.#share);
    return this.#leftMs > 0 ? 0 : (-this.#leftMs + 1) / this.#share;
  }

  /** What may be used now without waiting, as a share of what there is after a pause; negative when too much was. */
  get leftShare(): number {
    return this.#leftMs / this.#burstMs;
  }

  used(ms: number): void {
    this.#leftMs -= ms;
  }
}
