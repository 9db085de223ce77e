/** Work at once, and work that waits: what is beyond is left out, for nobody waits for its outcome. */
const mostAtOnce = 4;
const mostWaiting = 64;

/** Work for nobody's request: it begins after the answer at hand, and there is a most of it. */
export class ShadowRuns {
  readonly #waiting: (() => Promise<void>)[] = [];
  #running = 0;
  #idle: PromiseWithResolvers<void> | undefined;

  /** @param work never rejects. Returns whether it is going to be done. */
  add(work: () => Promise<void>): boolean {
    if (this.#waiting.length >= mostWaiting) return false;
    this.#waiting.push(work);
    setImmediate(() => this.#next());
    return true;
  }

  /** Resolves when nothing is under way. */
  async whenIdle(): Promise<void> {
    if (this.#running === 0 && this.#waiting.length === 0) return;
    this.#idle ??= Promise.withResolvers<void>();
    await this.#idle.promise;
  }

  #next(): void {
    if (this.#running >= mostAtOnce) return;
    const work = this.#waiting.shift();
    if (work === undefined) return;
    this.#running++;
    void work().finally(() => {
      this.#running--;
      if (this.#running === 0 && this.#waiting.length === 0) {
        this.#idle?.resolve();
        this.#idle = undefined;
      }
      this.#next();
    });
  }
}
