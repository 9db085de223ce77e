import { BoundedMap, type Clock } from "@shieldx/controller-runtime";

interface Entry<T> {
  readonly value: T;
  readonly until: number;
}

/** Answers of somebody who is slow to ask, each kept for a while. Those who ask for the same at once share one. */
export class Remembered<T> {
  readonly #clock: Clock;
  readonly #entries: BoundedMap<string, Entry<T>>;
  readonly #underWay = new Map<string, Promise<T>>();
  readonly #keepMs: (value: T) => number;

  /** @param keepMs how long an answer is kept */
  constructor(clock: Clock, limit: number, keepMs: (value: T) => number) {
    this.#clock = clock;
    this.#entries = new BoundedMap(limit);
    this.#keepMs = keepMs;
  }

  /** @throws what `ask` throws, which is not remembered */
  async get(key: string, ask: () => Promise<T>): Promise<T> {
    const known = this.#entries.get(key);
    if (known !== undefined && known.until > this.#clock.monotonicNow()) return known.value;
    const running = this.#underWay.get(key);
    if (running !== undefined) return running;
    const asked = ask()
      .then((value) => {
        const until = this.#clock.monotonicNow() + this.#keepMs(value);
        this.#entries.set(key, { value, until });
        return value;
      })
      .finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, asked);
    return asked;
  }
}
