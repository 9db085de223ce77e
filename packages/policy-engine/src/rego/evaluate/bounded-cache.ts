import { flatCopy } from "../../flat-copy.ts";
import type { BuiltinCache } from "../builtins/contract.ts";

interface Entry {
  readonly value: unknown;
  readonly size: number;
}

/**
 * Keeps the entries used last; a policy that makes up patterns per request cannot fill the memory. Keys are copied, and
 * values are to be made of copies (flat-copy.ts).
 */
export class BoundedCache implements BuiltinCache {
  readonly #entries = new Map<string, Entry>();
  readonly #limit: number;
  readonly #sizeLimit: number;
  #size = 0;

  /** `sizeLimit` bounds the sizes of all entries together: an instruction of a pattern has some 200 bytes. */
  constructor(limit = 1_000, sizeLimit = 60_000) {
    this.#limit = limit;
    this.#sizeLimit = sizeLimit;
  }

  get(key: string): unknown {
    const found = this.#entries.get(key);
    if (found === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, found);
    return found.value;
  }

  set(key: string, value: unknown, size = 1): void {
    this.#delete(key);
    if (size > this.#sizeLimit) return;
    this.#entries.set(flatCopy(key), { value, size });
    this.#size += size;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#limit && this.#size <= this.#sizeLimit) return;
      this.#delete(oldest);
    }
  }

  #delete(key: string): void {
    this.#size -= this.#entries.get(key)?.size ?? 0;
    this.#entries.delete(key);
  }
}
