/**
 * The first so many items in an order, out of any number, holding no more than these: there may be 100,000 and ten are wanted.
 * Of equal ones those that came first.
 */
export class FirstItems<T> {
  readonly #most: number;
  readonly #compare: (a: T, b: T) => number;
  readonly #items: T[] = [];

  /** @param compare below 0 where `a` comes before `b` */
  constructor(most: number, compare: (a: T, b: T) => number) {
    this.#most = most;
    this.#compare = compare;
  }

  offer(item: T): void {
    const last = this.#items.at(-1);
    if (this.#items.length >= this.#most && last !== undefined && this.#compare(item, last) >= 0) return;
    this.#items.splice(this.#placeOf(item), 0, item);
    if (this.#items.length > this.#most) this.#items.pop();
  }

  get items(): readonly T[] {
    return this.#items;
  }

  #placeOf(item: T): number {
    let [from, to] = [0, this.#items.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      const other = this.#items[middle];
      if (other !== undefined && this.#compare(item, other) >= 0) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}

/** Those of a list, as {@link FirstItems} has them. */
export function first<T>(items: Iterable<T>, count: number, compare: (a: T, b: T) => number): T[] {
  const found = new FirstItems(count, compare);
  for (const item of items) found.offer(item);
  return [...found.items];
}
