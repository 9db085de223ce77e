/** Lets so many through at once for each registry, the rest in order: a rollout must not become a storm. */
export class Turnstile {
  readonly #mostAtOnce: number;
  readonly #mostWaiting: number;
  readonly #lanes = new Map<string, { inside: number; readonly waiting: (() => void)[] }>();
  #waiting = 0;

  constructor(mostAtOnce: number, mostWaiting: number) {
    this.#mostAtOnce = mostAtOnce;
    this.#mostWaiting = mostWaiting;
  }

  /** False where too many wait already; else resolves once it is its turn, and `leave` has to follow. */
  async enter(lane: string): Promise<boolean> {
    const of = this.#lanes.get(lane) ?? { inside: 0, waiting: [] };
    this.#lanes.set(lane, of);
    if (of.inside < this.#mostAtOnce) {
      of.inside++;
      return true;
    }
    if (this.#waiting >= this.#mostWaiting) return false;
    this.#waiting++;
    await new Promise<void>((resolve) => of.waiting.push(resolve));
    return true;
  }

  leave(lane: string): void {
    const of = this.#lanes.get(lane);
    if (of === undefined) return;
    const next = of.waiting.shift();
    if (next !== undefined) {
      // Its place goes to the next: who comes now must not be quicker.
      this.#waiting--;
      next();
      return;
    }
    of.inside--;
    if (of.inside === 0) this.#lanes.delete(lane);
  }
}
