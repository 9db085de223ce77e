interface Waiting {
  readonly bytes: number;
  readonly admit: (isAdmitted: boolean) => void;
}

/** Memory of so many bytes, handed out in the order in which it is asked for. Whoever finds none may wait. */
export class Room {
  readonly #bytes: number;
  readonly #waiting: Waiting[] = [];
  #held = 0;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  get held(): number {
    return this.#held;
  }

  /** At once, or not at all: those who wait come first. @returns whether there was room */
  take(bytes: number): boolean {
    if (this.#waiting.length > 0 || !this.#fits(bytes)) return false;
    this.#held += bytes;
    return true;
  }

  /** @returns whether there was room within the time; false, too, once `signal` says that nobody needs it any more */
  async wait(bytes: number, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    if (this.take(bytes)) return true;
    if (bytes > this.#bytes || timeoutMs <= 0 || signal.aborted) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const waiting: Waiting = { bytes, admit: resolve };
    const leave = (): void => {
      const at = this.#waiting.indexOf(waiting);
      if (at < 0) return;
      this.#waiting.splice(at, 1);
      resolve(false);
      // It may have stood before others who need less.
      this.#admit();
    };
    const timer = setTimeout(leave, timeoutMs);
    signal.addEventListener("abort", leave);
    this.#waiting.push(waiting);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
    }
  }

  give(bytes: number): void {
    this.#held -= bytes;
    this.#admit();
  }

  #fits(bytes: number): boolean {
    return this.#held + bytes <= this.#bytes;
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#held += next.bytes;
      next.admit(true);
    }
  }
}
