/**
 * Go's encoding/base64 decoder: newlines are skipped, padding is required, bits left over are ignored, and a
 * wrong byte is reported with its offset.
 */

export class Base64Error extends Error {
  constructor(offset: number) {
    super(`illegal base64 data at input byte ${offset}`);
    this.name = "Base64Error";
  }
}

const COMMON = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

function alphabet(last: string): ReadonlyMap<number, number> {
  return new Map(Array.from(COMMON + last, (character, index) => [character.charCodeAt(0), index]));
}

const STANDARD = alphabet("+/");
const URL_SAFE = alphabet("-_");

const PAD = 0x3d;
const isNewline = (byte: number | undefined): boolean => byte === 0x0a || byte === 0x0d;

class Decoder {
  readonly #source: Uint8Array;
  readonly #values: ReadonlyMap<number, number>;
  readonly #output: number[] = [];
  #at = 0;

  constructor(source: Uint8Array, values: ReadonlyMap<number, number>) {
    this.#source = source;
    this.#values = values;
  }

  decode(): Uint8Array {
    let group: number[] = [];
    while (this.#at < this.#source.length) {
      const byte = this.#source[this.#at] ?? 0;
      const value = this.#values.get(byte);
      if (value !== undefined) {
        group.push(value);
        this.#at += 1;
        if (group.length === 4) {
          this.#write(group);
          group = [];
        }
      } else if (isNewline(byte)) {
        this.#at += 1;
      } else {
        this.#padding(group, byte);
        return Uint8Array.from(this.#output);
      }
    }
    if (group.length > 0) {
      throw new Base64Error(this.#at - group.length);
    }
    return Uint8Array.from(this.#output);
  }

  #skipNewlines(): void {
    while (isNewline(this.#source[this.#at])) {
      this.#at += 1;
    }
  }

  /** The end of the text: one or two `=` that fill the last group. */
  #padding(group: readonly number[], byte: number): void {
    if (byte !== PAD || group.length < 2) {
      throw new Base64Error(this.#at);
    }
    this.#at += 1;
    if (group.length === 2) {
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
    this.#write(group);
  }

  #write(group: readonly number[]): void {
    const [a = 0, b = 0, c = 0, d = 0] = group;
    const bits = (a << 18) | (b << 12) | (c << 6) | d;
    const bytes = [(bits >> 16) & 0xff, (bits >> 8) & 0xff, bits & 0xff];
    this.#output.push(...bytes.slice(0, group.length - 1));
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
