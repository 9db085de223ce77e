import type { JsonReader } from "./client.ts";

/** A list as it stands around its items. */
export interface ListEnvelope {
  readonly metadata?: unknown;
  readonly [field: string]: unknown;
}

const itemsField = Buffer.from('"items":[');
const [quote, comma, openBracket, backslash, closeBracket, openBrace, closeBrace] = [
  0x22, 0x2c, 0x5b, 0x5c, 0x5d, 0x7b, 0x7d,
];
/** Chunks are put together to at least this before they are parsed. */
const parseBytes = 32 * 1024;

/**
 * Reads the JSON of a list while it arrives, so that its items are parsed while the server still writes the next ones and
 * the text of the whole is never in memory. A list whose `"items":[` is not written just so is parsed whole at its end.
 */
export class ListParser<T> {
  readonly #maxHeldBytes: number;
  readonly #parseJson: JsonReader;
  /** Until the items begin: everything; from then on what came before them, `"items":[` included. */
  #head: Buffer = Buffer.alloc(0);
  /** Of the items, from then on. */
  #ends: ItemEnds | undefined;
  /** `[` and the items that are not parsed yet. */
  #rest: Buffer = Buffer.alloc(0);
  #parts: Buffer[] = [];
  #partsBytes = 0;

  /** @param maxHeldBytes more that cannot be parsed yet throws RangeError, so that memory stays bounded */
  constructor(maxHeldBytes: number, parseJson: JsonReader = JSON.parse) {
    this.#maxHeldBytes = maxHeldBytes;
    this.#parseJson = parseJson;
  }

  /**
   * Takes the next chunk, returns the items it completed.
   * @throws SyntaxError when an item is not JSON
   */
  push(chunk: Buffer): T[] {
    this.#parts.push(chunk);
    this.#partsBytes += chunk.length;
    const held = this.#ends === undefined ? this.#head : this.#rest;
    if (held.length + this.#partsBytes > this.#maxHeldBytes) {
      throw new RangeError(`an item of the list is longer than ${this.#maxHeldBytes} bytes`);
    }
    // At least as much as is held already: an item of many chunks is not copied once for each.
    if (this.#partsBytes < Math.max(parseBytes, held.length)) return [];
    return this.#parse();
  }

  /**
   * The list has ended: the items that were left, and what stood around them all.
   * @throws SyntaxError when it was not a whole list
   */
  end(): { items: T[]; envelope: ListEnvelope } {
    const items = this.#parse();
    const head = this.#head.toString("utf8");
    if (this.#ends === undefined) {
      const list = this.#parseJson(head) as ListEnvelope & { items?: T[] | null };
      return { items: list.items ?? [], envelope: list };
    }
    const { end } = this.#ends;
    if (end === undefined) throw new SyntaxError("the list was cut inside its items");
    const envelope = JSON.parse(head + this.#rest.toString("utf8", end)) as ListEnvelope;
    const last = this.#parseJson(this.#rest.toString("utf8", 0, end + 1)) as T[];
    return { items: items.concat(last), envelope };
  }

  #parse(): T[] {
    this.#gather();
    this.#ends ??= this.#findItems();
    return this.#ends === undefined ? [] : this.#takeWhole(this.#ends);
  }

  #gather(): void {
    const held = this.#ends === undefined ? this.#head : this.#rest;
    const all = Buffer.concat([held, ...this.#parts], held.length + this.#partsBytes);
    if (this.#ends === undefined) this.#head = all;
    else this.#rest = all;
    this.#parts = [];
    this.#partsBytes = 0;
  }

  #findItems(): ItemEnds | undefined {
    const at = this.#head.indexOf(itemsField);
    if (at < 0) return undefined;
    const end = at + itemsField.length;
    this.#rest = this.#head.subarray(end - 1);
    this.#head = Buffer.from(this.#head.subarray(0, end)); // a copy: the rest is written to
    return new ItemEnds();
  }

  /** Parses up to the last comma between two items. */
  #takeWhole(ends: ItemEnds): T[] {
    const rest = this.#rest;
    const at = ends.scan(rest);
    if (at === undefined) return [];
    rest[at] = closeBracket;
    const items = this.#parseJson(rest.toString("utf8", 0, at + 1)) as T[];
    this.#rest = rest.subarray(at);
    this.#rest[0] = openBracket;
    ends.moved(at);
    return items;
  }
}

/** Finds where the items of an array end: what is in strings does not count, nor what is nested. */
class ItemEnds {
  /** Everything before has been looked at. */
  #at = 1;
  /** Brackets that are open there; the first byte opened the array. */
  #depth = 1;
  /** Of the bracket that closes the array, once it is there. */
  end: number | undefined;

  /** Of the last comma between two items in what is new, if there is one. `bytes` begin with the bracket of the array. */
  scan(bytes: Buffer): number | undefined {
    let at = this.#at;
    let depth = this.#depth;
    let last: number | undefined;
    for (; at < bytes.length && depth > 0; at++) {
      const byte = bytes[at];
      if (byte === quote) {
        const close = closingQuote(bytes, at + 1);
        if (close >= bytes.length) break; // the string is looked at again when there is more of it
        at = close;
      } else if (byte === openBrace || byte === openBracket) depth++;
      else if (byte === closeBrace || byte === closeBracket) depth--;
      else if (byte === comma && depth === 1) last = at;
    }
    this.#at = at;
    this.#depth = depth;
    if (depth === 0) this.end ??= at - 1;
    return last;
  }

  /** The bytes begin this much later now. */
  moved(by: number): void {
    this.#at -= by;
    if (this.end !== undefined) this.end -= by;
  }
}

/** Of the quote that ends the string; past the end of the bytes where it is not among them. */
function closingQuote(bytes: Buffer, from: number): number {
  const near = Math.min(from + 32, bytes.length);
  let at = from;
  for (; at < near; at++) {
    if (bytes[at] === backslash) at++;
    else if (bytes[at] === quote) return at;
  }
  // A long one: the next quote before which no odd number of backslashes stands.
  for (;;) {
    at = bytes.indexOf(quote, at);
    if (at < 0) return bytes.length;
    let before = at - 1;
    while (bytes[before] === backslash) before--;
    if ((at - before) % 2 === 1) return at;
    at++;
  }
}
