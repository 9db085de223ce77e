/** The objects that have been due longest, out of any number, holding no more than are asked for. */
export class LongestDue<T extends { readonly sinceMs: number }> {
  readonly #most: number;
  /** Longest due first; the same time, the first to come first. */
  readonly #items: T[] = [];
  /** All that were offered. */
  count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  offer(item: T): void {
    this.count++;
    const last = this.#items.at(-1);
    if (this.#items.length >= this.#most && last !== undefined && last.sinceMs <= item.sinceMs) return;
    let [low, high] = [0, this.#items.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#items[middle]?.sinceMs ?? 0) <= item.sinceMs) low = middle + 1;
      else high = middle;
    }
    this.#items.splice(low, 0, item);
    if (this.#items.length > this.#most) this.#items.pop();
  }

  get items(): readonly T[] {
    return this.#items;
  }
}
