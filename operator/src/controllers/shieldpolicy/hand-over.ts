/**
 * One enforcer follows another without a moment in which nobody acts: the former goes only once the successor is in
 * place and every API server has had the time to take that in.
 */
export class HandOvers {
  /** When a successor was first seen in place: by policy, for one version of it. */
  readonly #since = new Map<string, { readonly version: string; readonly atMs: number }>();

  /**
   * How long the former enforcer has to stay, in milliseconds; undefined while the successor is not in place.
   * @param nowMs by a clock that never goes back
   */
  remainingMs(policy: string, version: string, isInPlace: boolean, nowMs: number): number | undefined {
    if (!isInPlace) {
      this.#since.delete(policy);
      return undefined;
    }
    const known = this.#since.get(policy);
    const atMs = known?.version === version ? known.atMs : nowMs;
    this.#since.set(policy, { version, atMs });
    return Math.max(0, atMs + TAKEN_IN_MS - nowMs);
  }

  forget(policy: string): void {
    this.#since.delete(policy);
  }
}

/** API servers take admission policies in once a second, and webhook configurations as soon as their watch brings them. */
export const TAKEN_IN_MS = 3_000;
