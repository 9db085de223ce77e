/**
 * Work that is done a slice at a time so that the event loop stays free for Lease renewals and live events.
 * A key added while it waits is done once. Live keys go before those of a full pass.
 */
export class SlicedWork {
  readonly #live = new Set<string>();
  readonly #background = new Set<string>();

  addLive(key: string): void {
    this.#background.delete(key);
    this.#live.add(key);
  }

  addBackground(key: string): void {
    if (!this.#live.has(key)) this.#background.add(key);
  }

  get size(): number {
    return this.#live.size + this.#background.size;
  }

  clear(): void {
    this.#live.clear();
    this.#background.clear();
  }

  /**
   * Do keys until the budget is used up or nothing is left; at least one key is done.
   * `elapsedMs` is read after every key. Returns how many were done.
   */
  runSlice(work: (key: string) => void, elapsedMs: () => number, budgetMs: number): number {
    let done = 0;
    for (const queue of [this.#live, this.#background]) {
      for (const key of queue) {
        if (done > 0 && elapsedMs() >= budgetMs) return done;
        queue.delete(key);
        work(key);
        done++;
      }
    }
    return done;
  }
}
