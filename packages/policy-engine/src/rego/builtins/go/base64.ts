/**
 * Go's encoding/base64 decoder: newlines are skipped, padding is required, bits left over are ignored, and a
 * wrong byte is reported with its offset.
 */

import { countWork } from "../../work-meter.ts";

/** Bytes read between two counts. */
const bytesPerCount = 1_024;

export class Base64Error extends Error {
  constructor(offset: number) {
    super(`illegal base64 data at input byte ${offset}`);
    this.name = "Base64Error";
  }
}

const COMMON = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** The value of each byte; -1 for one that is none of the alphabet's. */
function alphabet(last: string): Int8Array {
  const values = new Int8Array(256).fill(-1);
  for (const [index, character] of Array.from(COMMON + last).entries()) {
    values[character.charCodeAt(0)] = index;
  }
  return values;
}

const STANDARD = alphabet("+/");
const URL_SAFE = alphabet("-_");

const PAD = 0x3d;
const isNewline = (byte: number | undefined): boolean => byte === 0x0a || byte === 0x0d;

class Decoder {
  readonly #source: Uint8Array;
  readonly #values: Int8Array;
  readonly #output: Uint8Array;
  #written = 0;
  #at = 0;
  /** The group being read: its six-bit values in one number, and how many there are. */
  #bits = 0;
  #count = 0;

  constructor(source: Uint8Array, values: Int8Array) {
    this.#source = source;
    this.#values = values;
    this.#output = new Uint8Array(Math.ceil(source.length / 4) * 3);
  }

  decode(): Uint8Array {
    this.#wholeGroups();
    while (this.#at < this.#source.length) {
      const byte = this.#source[this.#at] ?? 0;
      const value = this.#values[byte] ?? -1;
      if (value >= 0) {
        this.#at += 1;
        this.#bits = (this.#bits << 6) | value;
        this.#count += 1;
        if (this.#count === 4) {
          this.#write();
        }
      } else if (isNewline(byte)) {
        this.#at += 1;
      } else {
        this.#padding(byte);
        return this.#output.slice(0, this.#written);
      }
    }
    if (this.#count > 0) {
      throw new Base64Error(this.#at - this.#count);
    }
    return this.#output.slice(0, this.#written);
  }

  /** As far as there are groups of four and nothing else, which is mostly all there is. */
  #wholeGroups(): void {
    const source = this.#source;
    const values = this.#values;
    const output = this.#output;
    let at = 0;
    let written = 0;
    for (; at + 4 <= source.length; at += 4) {
      if (at % bytesPerCount === 0) countWork(bytesPerCount >>> 4);
      const bits =
        ((values[source[at] ?? 0] ?? -1) << 18) |
        ((values[source[at + 1] ?? 0] ?? -1) << 12) |
        ((values[source[at + 2] ?? 0] ?? -1) << 6) |
        (values[source[at + 3] ?? 0] ?? -1);
      // A byte that is none of the alphabet's makes it negative.
      if (bits < 0) break;
      output[written++] = bits >> 16;
      output[written++] = (bits >> 8) & 0xff;
      output[written++] = bits & 0xff;
    }
    this.#at = at;
    this.#written = written;
  }

  #skipNewlines(): void {
    while (isNewline(this.#source[this.#at])) {
      this.#at += 1;
    }
  }

  /** The end of the text: one or two `=` that fill the last group. */
  #padding(byte: number): void {
    if (byte !== PAD || this.#count < 2) {
      throw new Base64Error(this.#at);
    }
    this.#at += 1;
    if (this.#count === 2) {
      this.#skipNewlines();
      if (this.#at === this.#source.length) {
        throw new Base64Error(this.#at);
      }
      if (this.#source[this.#at] !== PAD) {
        throw new Base64Error(this.#at - 1);
      }
      this.#at += 1;
    }
    this.#skipNewlines();
    if (this.#at < this.#source.length) {
      throw new Base64Error(this.#at);
    }
    this.#write();
  }

  #write(): void {
    const bits = this.#bits << (6 * (4 - this.#count));
    for (let shift = 16, left = this.#count - 1; left > 0; shift -= 8, left -= 1) {
      this.#output[this.#written] = (bits >> shift) & 0xff;
      this.#written += 1;
    }
    this.#bits = 0;
    this.#count = 0;
  }
}

/** @throws Base64Error */
export function decodeBase64(source: Uint8Array): Uint8Array {
  return new Decoder(source, STANDARD).decode();
}

/** With the URL-safe alphabet. @throws Base64Error */
export function decodeBase64Url(source: Uint8Array): Uint8Array {
  return new Decoder(source, URL_SAFE).decode();
}
