/**
 * What many policies hold in the same words, kept once: compiled once, in memory once, and of one identity, by which a
 * request computes once what comes of it. An entry goes with the last policy that holds it.
 */
export class Interned<T extends object> {
  readonly #known = new Map<string, WeakRef<T>>();
  readonly #gone = new FinalizationRegistry<string>((key) => {
    // Another may have come under the key meanwhile.
    if (this.#known.get(key)?.deref() === undefined) this.#known.delete(key);
  });

  get size(): number {
    return this.#known.size;
  }

  get(key: string): T | undefined {
    return this.#known.get(key)?.deref();
  }

  add(key: string, value: T): void {
    this.#known.set(key, new WeakRef(value));
    this.#gone.register(value, key);
  }
}
