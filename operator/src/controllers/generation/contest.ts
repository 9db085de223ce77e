/** How often an object of ours may be put right within the time below, before somebody else seems to want it otherwise for good. */
const MOST_MENDS = 5;
const WITHIN_MS = 600_000;
/** Objects remembered; the first to be mended go first. */
const MOST_OBJECTS = 10_000;

/**
 * Notices that somebody changes an object as often as it is put right: another controller, or a GitOps tool that has the object
 * too. Both would go on for ever, as fast as the API server lets them.
 */
export class Contest {
  readonly #mends = new Map<string, number[]>();

  /** How long to leave the object alone, ms; undefined: it may be put right. */
  pauseMs(uid: string, now: number): number | undefined {
    const mends = (this.#mends.get(uid) ?? []).filter((at) => now - at < WITHIN_MS);
    const [first] = mends;
    return first === undefined || mends.length < MOST_MENDS ? undefined : first + WITHIN_MS - now;
  }

  mended(uid: string, now: number): void {
    const mends = (this.#mends.get(uid) ?? []).filter((at) => now - at < WITHIN_MS);
    this.#mends.delete(uid);
    this.#mends.set(uid, [...mends, now].slice(-MOST_MENDS));
    for (const key of this.#mends.keys()) {
      if (this.#mends.size <= MOST_OBJECTS) break;
      this.#mends.delete(key);
    }
  }
}
