import { createHash } from "node:crypto";
import type { KubeObject } from "../kubernetes/objects.ts";
import { ownEntry } from "./fields-v1.ts";

/**
 * Remembers what was applied to which object. Where comparing alone cannot tell whether an apply would change
 * anything (see `differenceFromApplied`), this can: the same desired object was applied before, and what we own
 * is exactly what that apply left us owning. Whoever changes a field of ours takes it out of our set, so an
 * equal set means unchanged values.
 *
 * Holds two hashes per object, `capacity` objects at most, the least recently used go first.
 */
export class ApplyMemory {
  readonly #capacity: number;
  readonly #applied = new Map<string, { desired: string; owned: string }>();

  constructor(capacity = 65_536) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#applied.size;
  }

  /** Whether `desired` is what was last applied, and `current` still carries all of it. */
  isApplied(current: KubeObject, desired: KubeObject, manager: string, subresource = ""): boolean {
    const id = identity(current, manager, subresource);
    const remembered = this.#applied.get(id);
    if (remembered === undefined) return false;
    if (remembered.owned !== ownedHash(current, manager, subresource)) return false;
    if (remembered.desired !== hash(desired)) return false;
    this.#applied.delete(id);
    this.#applied.set(id, remembered);
    return true;
  }

  /** Takes note of an apply of `desired` that the server answered with `result`. */
  remember(result: KubeObject, desired: KubeObject, manager: string, subresource = ""): void {
    const owned = ownedHash(result, manager, subresource);
    if (owned === undefined || result.metadata.uid === undefined) return;
    const id = identity(result, manager, subresource);
    this.#applied.delete(id);
    if (this.#applied.size >= this.#capacity) {
      for (const oldest of this.#applied.keys()) {
        this.#applied.delete(oldest);
        break;
      }
    }
    this.#applied.set(id, { desired: hash(desired), owned });
  }
}

function identity(object: KubeObject, manager: string, subresource: string): string {
  return `${object.metadata.uid ?? ""}/${subresource}/${manager}`;
}

function ownedHash(object: KubeObject, manager: string, subresource: string): string | undefined {
  const entry = ownEntry(object, manager, subresource);
  return entry === undefined ? undefined : hash([entry.apiVersion, entry.fieldsV1]);
}

function hash(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("base64");
}
