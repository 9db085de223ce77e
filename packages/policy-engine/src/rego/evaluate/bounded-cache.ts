import type { BuiltinCache } from "../builtins/contract.ts";

/** Keeps the entries used last; a policy that makes up patterns per request cannot fill the memory. */
export class BoundedCache implements BuiltinCache {
  readonly #entries = new Map<string, unknown>();
  readonly #limit: number;

  constructor(limit = 1_000) {
    this.#limit = limit;
  }

  get(key: string): unknown {
    const found = this.#entries.get(key);
    if (found !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, found);
    }
    return found;
  }

  set(key: string, value: unknown): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#limit) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }
}
