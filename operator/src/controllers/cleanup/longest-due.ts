import { FirstItems } from "../../first.ts";

/** The objects that have been due longest, out of any number, holding no more than are asked for. */
export class LongestDue<T extends { readonly sinceMs: number }> {
  readonly #longest: FirstItems<T>;
  /** All that were offered. */
  count = 0;

  constructor(most: number) {
    this.#longest = new FirstItems<T>(most, (a, b) => a.sinceMs - b.sinceMs);
  }

  offer(item: T): void {
    this.count++;
    this.#longest.offer(item);
  }

  get items(): readonly T[] {
    return this.#longest.items;
  }
}
