import type { NativeState } from "../shieldpolicy/decide.ts";

interface Versioned {
  readonly uid?: string | undefined;
  readonly generation?: number | undefined;
}

export interface Standing extends Required<Versioned> {
  readonly uid: string;
  readonly generation: number;
  /** undefined where nothing of the policy is on the server, nor is to be. */
  readonly state: NativeState | undefined;
}

/**
 * How policies stand that the API server evaluates: between the controller that keeps the rendered objects, and the one
 * that says in the policies' status how far that has come and when the webhook has taken over.
 */
export class NativeStandings {
  #standings: ReadonlyMap<string, Standing> = new Map();
  readonly #released = new Map<string, string>();
  readonly #listeners: ((policies: readonly string[]) => void)[] = [];
  readonly #releaseListeners: (() => void)[] = [];

  /** Called with the policies about which there is something new. */
  onChange(listener: (policies: readonly string[]) => void): void {
    this.#listeners.push(listener);
  }

  onRelease(listener: () => void): void {
    this.#releaseListeners.push(listener);
  }

  /** How this version of the policy stands; undefined before it was looked at. */
  of(name: string, { uid, generation }: Versioned): Standing | undefined {
    const standing = this.#standings.get(name);
    return standing?.uid === uid && standing?.generation === generation ? standing : undefined;
  }

  publish(standings: ReadonlyMap<string, Standing>): void {
    const before = this.#standings;
    this.#standings = standings;
    for (const name of this.#released.keys()) if (!standings.has(name)) this.#released.delete(name);
    const changed = [...standings.keys()].filter(
      (name) => JSON.stringify(before.get(name)) !== JSON.stringify(standings.get(name)),
    );
    if (changed.length > 0) for (const listener of this.#listeners) listener(changed);
  }

  /** From here on the webhook has this version of the policy: what is rendered of it may go. */
  release(name: string, version: Versioned): void {
    const key = keyOf(version);
    if (this.#released.get(name) === key) return;
    this.#released.set(name, key);
    for (const listener of this.#releaseListeners) listener();
  }

  /** It is the API server's again: what is rendered stays until it is released anew. */
  reclaim(name: string): void {
    this.#released.delete(name);
  }

  isReleased(name: string, version: Versioned): boolean {
    return this.#released.get(name) === keyOf(version);
  }
}

function keyOf({ uid, generation }: Versioned): string {
  return `${uid}/${generation}`;
}
