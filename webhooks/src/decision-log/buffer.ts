/** Why events are lost here. */
export type BufferLoss = "buffer-full" | "too-large";

/** Encoded events that wait to be sent, oldest first. When there is no room the oldest go. */
export class EventBuffer {
  readonly #mostEvents: number;
  readonly #mostBytes: number;
  readonly #dropped: (reason: BufferLoss, count: number) => void;
  #events: Buffer[] = [];
  /** Events before this one are gone; the array is cut now and then. */
  #first = 0;
  #bytes = 0;

  /** @param dropped told of each loss */
  constructor(
    limits: { readonly events: number; readonly bytes: number },
    dropped: (reason: BufferLoss, count: number) => void,
  ) {
    this.#mostEvents = limits.events;
    this.#mostBytes = limits.bytes;
    this.#dropped = dropped;
  }

  get size(): number {
    return this.#events.length - this.#first;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(event: Buffer): void {
    if (event.length > this.#mostBytes) {
      this.#dropped("too-large", 1);
      return;
    }
    this.#events.push(event);
    this.#bytes += event.length;
    let gone = 0;
    while (this.#bytes > this.#mostBytes || this.size > this.#mostEvents) {
      this.#shift();
      gone++;
    }
    if (gone > 0) this.#dropped("buffer-full", gone);
  }

  /** Takes the oldest events out, as many as have `mostBytes` together, at least one if there is any. */
  take(mostBytes: number): readonly Buffer[] {
    const taken: Buffer[] = [];
    let bytes = 0;
    for (let next = this.#events[this.#first]; next !== undefined; next = this.#events[this.#first]) {
      if (taken.length > 0 && bytes + next.length > mostBytes) break;
      bytes += next.length;
      taken.push(next);
      this.#shift();
    }
    return taken;
  }

  /** Puts events back to where `take` found them. */
  putBack(events: readonly Buffer[]): void {
    this.#events = [...events, ...this.#events.slice(this.#first)];
    this.#first = 0;
    for (const { length } of events) this.#bytes += length;
  }

  #shift(): void {
    const event = this.#events[this.#first];
    if (event === undefined) return;
    this.#bytes -= event.length;
    this.#first++;
    if (this.#first < 1_024 || this.#first * 2 < this.#events.length) return;
    this.#events = this.#events.slice(this.#first);
    this.#first = 0;
  }
}
