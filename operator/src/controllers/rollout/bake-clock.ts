/** When something was looked at. */
export interface Moment {
  /** Milliseconds since the epoch, by a clock that may jump. */
  readonly wallMs: number;
  /** By a clock that never goes back. */
  readonly monotonicMs: number;
}

/** What a status tells of a step. */
export interface ToldBake {
  readonly turn: number;
  readonly bakedSeconds?: number;
  readonly checkedAt?: string;
}

interface Known {
  readonly turn: number;
  readonly bakedMs: number;
  readonly atMs: number;
  readonly isBaking: boolean;
}

/** A look that comes later than this was held up, and what happened meanwhile nobody saw. */
const LONGEST_LOOK_MS = 60_000;

/**
 * How much of a step has passed under our eyes. Within a process by its monotonic clock alone. Between processes the
 * status' own moments bridge the gap, by no more than the time between two writes: a clock that jumps ahead ends no step
 * early, and one that jumps back holds none up.
 */
export class BakeClock {
  readonly #known = new Map<string, Known>();

  /**
   * Milliseconds of the turn so far. A turn that follows one we saw began under our eyes, and owes nothing to other clocks.
   * @param told undefined before the first turn
   * @param isBaking whether the step's time runs now
   * @param creditMs most that counts for the time between the last write of another process and now
   */
  look(uid: string, told: ToldBake | undefined, isBaking: boolean, creditMs: number, now: Moment): number {
    const { turn, bakedSeconds = 0, checkedAt } = told ?? { turn: 0 };
    const before = this.#known.get(uid);
    const toldMs = bakedSeconds * 1_000;
    let bakedMs = toldMs;
    if (before?.turn === turn) bakedMs = Math.max(toldMs, before.bakedMs + sinceMs(before, isBaking, now));
    else if (before === undefined && isBaking) bakedMs += bridgedMs(checkedAt, creditMs, now);
    this.#known.set(uid, { turn, bakedMs, atMs: now.monotonicMs, isBaking });
    return bakedMs;
  }

  forget(uid: string): void {
    this.#known.delete(uid);
  }
}

/** Between two looks it counts only where the time ran at both. */
function sinceMs({ atMs, isBaking: wasBaking }: Known, isBaking: boolean, now: Moment): number {
  if (!wasBaking || !isBaking) return 0;
  return Math.min(Math.max(0, now.monotonicMs - atMs), LONGEST_LOOK_MS);
}

function bridgedMs(checkedAt: string | undefined, creditMs: number, { wallMs }: Moment): number {
  const sinceCheckMs = checkedAt === undefined ? 0 : wallMs - Date.parse(checkedAt);
  return Number.isFinite(sinceCheckMs) ? Math.min(Math.max(0, sinceCheckMs), creditMs) : 0;
}
