/** Reads DER (X.690), strictly enough for certificates: definite lengths, bounded nesting left to the caller. */
import { LimitError } from "../contract.ts";

export class DerError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "DerError";
  }
}

export interface DerValue {
  /** The identifier octet: class, constructed bit and number. */
  readonly tag: number;
  readonly content: Uint8Array;
  /** With header. */
  readonly raw: Uint8Array;
}

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8: 0x0c,
  printable: 0x13,
  teletex: 0x14,
  ia5: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmp: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** The tag of `[number]`, constructed or not. */
export const contextTag = (number: number, constructed: boolean): number =>
  0x80 | (constructed ? 0x20 : 0) | number;

/** Walks over the values within some bytes. */
export class DerReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** The tag of the next value, undefined at the end. */
  get nextTag(): number | undefined {
    return this.#bytes[this.#at];
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) {
      throw new DerError("data truncated");
    }
    this.#at += 1;
    return byte;
  }

  #length(): number {
    const first = this.#byte();
    if (first < 0x80) {
      return first;
    }
    const count = first & 0x7f;
    if (count === 0 || count > 4) {
      throw new DerError("indefinite or too large a length");
    }
    let length = 0;
    for (let index = 0; index < count; index += 1) {
      length = length * 256 + this.#byte();
    }
    return length;
  }

  next(): DerValue {
    const start = this.#at;
    const tag = this.#byte();
    if ((tag & 0x1f) === 0x1f) {
      throw new DerError("a tag of more than one octet");
    }
    const length = this.#length();
    const end = this.#at + length;
    if (end > this.#bytes.length) {
      throw new DerError("data truncated");
    }
    const value = {
      tag,
      content: this.#bytes.subarray(this.#at, end),
      raw: this.#bytes.subarray(start, end),
    };
    this.#at = end;
    return value;
  }

  expect(tag: number): DerValue {
    const value = this.next();
    if (value.tag !== tag) {
      throw new DerError(`tag ${value.tag} where ${tag} is due`);
    }
    return value;
  }

  /** The next value if it has the tag. */
  optional(tag: number): DerValue | undefined {
    return this.nextTag === tag ? this.next() : undefined;
  }

  /** A reader of the values in the next one. */
  enter(tag: number = tags.sequence): DerReader {
    return new DerReader(this.expect(tag).content);
  }
}

/** All values within some bytes. */
export function derChildren(bytes: Uint8Array): readonly DerValue[] {
  const reader = new DerReader(bytes);
  const children: DerValue[] = [];
  while (!reader.done) {
    children.push(reader.next());
  }
  return children;
}

/** A two's complement integer. */
export function derInteger(value: DerValue): bigint {
  if (value.content.length === 0) {
    throw new DerError("empty integer");
  }
  return BigInt.asIntN(value.content.length * 8, BigInt(`0x${Buffer.from(value.content).toString("hex")}`));
}

/** Numbers of one identifier. */
const maxOidParts = 64;

export function derOid(content: Uint8Array): readonly number[] {
  const parts: number[] = [];
  let value = 0;
  for (const byte of content) {
    value = value * 128 + (byte & 0x7f);
    if (parts.length > maxOidParts) {
      throw new LimitError(`an object identifier has more than ${maxOidParts} numbers`);
    }
    if (!Number.isSafeInteger(value)) {
      throw new DerError("too large an object identifier");
    }
    if (byte < 0x80) {
      parts.push(value);
      value = 0;
    }
  }
  const [first = 0, ...rest] = parts;
  const root = Math.min(2, Math.floor(first / 40));
  return [root, first - root * 40, ...rest];
}

/** The bytes of a bit string that has no unused bits, or what it has with them. */
export function derBits(value: DerValue): Uint8Array {
  return value.content.subarray(1);
}

export function derText(value: DerValue): string {
  if (value.tag === tags.bmp) {
    return Buffer.from(value.content).swap16().toString("utf16le");
  }
  return Buffer.from(value.content).toString(value.tag === tags.teletex ? "latin1" : "utf8");
}

/** UTCTime or GeneralizedTime as RFC 3339. */
export function derTime(value: DerValue): string {
  const text = Buffer.from(value.content).toString("latin1");
  const digits = value.tag === tags.utcTime ? `${Number(text.slice(0, 2)) >= 50 ? "19" : "20"}${text}` : text;
  const fields = [4, 6, 8, 10, 12].map((at) => digits.slice(at, at + 2));
  const [month = "", day = "", hour = "", minute = "", second = ""] = fields;
  const shown = `${digits.slice(0, 4)}-${month}-${day}T${hour}:${minute}:${second}Z`;
  if (digits.length !== 15 || !digits.endsWith("Z") || Number.isNaN(Date.parse(shown))) {
    throw new DerError("malformed time");
  }
  return shown;
}
