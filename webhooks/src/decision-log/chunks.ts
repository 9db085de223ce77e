import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { EventBuffer } from "./buffer.ts";

/** A batch as it is sent: a JSON array of events, compressed. */
export interface Chunk {
  readonly body: Buffer;
  readonly events: readonly Buffer[];
}

const compress = promisify(gzip);
/** Beyond this a better guess is not worth what compressing it again would cost. */
const bestRatio = 32;

/** Fills chunks of at most `limitBytes` compressed. How much goes into one is a guess that each chunk improves. */
export class Chunks {
  readonly #buffer: EventBuffer;
  readonly #tooLarge: () => void;
  readonly #limitBytes: number;
  #guessBytes: number;

  /** @param tooLarge told of each event that fits into no chunk, and is lost */
  constructor(buffer: EventBuffer, limitBytes: number, tooLarge: () => void) {
    this.#buffer = buffer;
    this.#tooLarge = tooLarge;
    this.#limitBytes = limitBytes;
    this.#guessBytes = limitBytes * 4;
  }

  /** How many bytes of events make a chunk, about. */
  get guessBytes(): number {
    return this.#guessBytes;
  }

  /** The oldest events; undefined when there are none. Each round takes fewer, so it ends. */
  async next(): Promise<Chunk | undefined> {
    for (;;) {
      const events = this.#buffer.take(this.#guessBytes);
      if (events.length === 0) return undefined;
      const body = await compress(joined(events));
      if (body.length <= this.#limitBytes) {
        if (body.length * 2 < this.#limitBytes && this.#buffer.size > 0) this.#improve(1.5);
        return { body, events };
      }
      if (events.length === 1) {
        this.#tooLarge();
      } else {
        const bytes = events.reduce((sum, { length }) => sum + length, 0);
        this.#buffer.putBack(events);
        this.#guessBytes = Math.ceil(Math.min(this.#guessBytes, bytes) / 2);
      }
    }
  }

  /** A receiver that takes less than was agreed. @returns whether the events can be tried again in smaller chunks */
  shrink({ events }: Chunk): boolean {
    if (events.length < 2) return false;
    const bytes = events.reduce((sum, { length }) => sum + length, 0);
    this.#guessBytes = Math.ceil(Math.min(this.#guessBytes, bytes) / 2);
    this.#buffer.putBack(events);
    return true;
  }

  #improve(by: number): void {
    this.#guessBytes = Math.min(this.#limitBytes * bestRatio, Math.ceil(this.#guessBytes * by));
  }
}

function joined(events: readonly Buffer[]): Buffer {
  const comma = Buffer.from(",");
  return Buffer.concat([
    Buffer.from("["),
    ...events.flatMap((event, at) => (at === 0 ? [event] : [comma, event])),
    Buffer.from("]"),
  ]);
}
