/** A list as it stands around its items. */
export interface ListEnvelope {
  readonly metadata?: unknown;
  readonly [field: string]: unknown;
}

const itemsField = Buffer.from('"items":[');
const [openBracket, closeBracket, colon] = [0x5b, 0x5d, 0x3a];
/** Chunks are put together to at least this before they are parsed. */
const parseBytes = 32 * 1024;
/** How many ends of items are tried before more bytes are waited for. */
const attempts = 16;

/**
 * Reads the JSON of a list while it arrives, so that its items are parsed while the server still writes the next ones and
 * the text of the whole is never in memory.
 *
 * An item is taken to end before every `},{"key":` whose key is the first of the first item. Inside a string its quotes
 * would be escaped, and nested in an item the brackets before it do not balance, so that `JSON.parse` refuses what was
 * cut in a wrong place. What does not look like this, say because it is indented, is parsed whole at its end.
 */
export class ListParser<T> {
  readonly #maxHeldBytes: number;
  /** Until the items begin: everything; from then on what came before them, `"items":[` included. */
  #head: Buffer = Buffer.alloc(0);
  #isInItems = false;
  /** `},` and the beginning of each item. */
  #boundary: Buffer | undefined;
  /** `[` and the items that are not parsed yet. */
  #rest: Buffer = Buffer.alloc(0);
  #parts: Buffer[] = [];
  #partsBytes = 0;

  /** @param maxHeldBytes more that cannot be parsed yet throws RangeError, so that memory stays bounded */
  constructor(maxHeldBytes: number) {
    this.#maxHeldBytes = maxHeldBytes;
  }

  /** Takes the next chunk, returns the items it completed. */
  push(chunk: Buffer): T[] {
    this.#parts.push(chunk);
    this.#partsBytes += chunk.length;
    const held = this.#isInItems ? this.#rest : this.#head;
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
    if (!this.#isInItems) {
      const list = JSON.parse(this.#head.toString("utf8")) as ListEnvelope & { items?: T[] | null };
      return { items: list.items ?? [], envelope: list };
    }
    const rest = this.#rest;
    const head = this.#head.toString("utf8");
    if (rest[1] === closeBracket) {
      return { items, envelope: JSON.parse(head + rest.toString("utf8", 1)) as ListEnvelope };
    }
    let failure: unknown = new SyntaxError("the list was cut inside an item");
    let at = rest.lastIndexOf("}]");
    for (let attempt = 0; at > 0 && attempt < attempts; attempt++) {
      try {
        const envelope = JSON.parse(head + rest.toString("utf8", at + 1)) as ListEnvelope;
        const last = JSON.parse(rest.toString("utf8", 0, at + 2)) as T[];
        return { items: items.concat(last), envelope };
      } catch (error) {
        failure = error;
        at = rest.lastIndexOf("}]", at - 1);
      }
    }
    throw failure;
  }

  #parse(): T[] {
    this.#gather();
    if (!this.#isInItems && !this.#findItems()) return [];
    this.#boundary ??= boundaryOf(this.#rest);
    if (this.#boundary === undefined) return [];
    return this.#takeWhole(this.#boundary);
  }

  #gather(): void {
    const held = this.#isInItems ? this.#rest : this.#head;
    const all = Buffer.concat([held, ...this.#parts], held.length + this.#partsBytes);
    if (this.#isInItems) this.#rest = all;
    else this.#head = all;
    this.#parts = [];
    this.#partsBytes = 0;
  }

  #findItems(): boolean {
    const at = this.#head.indexOf(itemsField);
    if (at < 0) return false;
    const end = at + itemsField.length;
    this.#rest = this.#head.subarray(end - 1);
    this.#head = Buffer.from(this.#head.subarray(0, end)); // a copy: the rest is written to
    this.#isInItems = true;
    return true;
  }

  /** Parses up to the last boundary at which the text so far is a whole array. */
  #takeWhole(boundary: Buffer): T[] {
    const rest = this.#rest;
    let at = rest.lastIndexOf(boundary);
    for (let attempt = 0; at > 0 && attempt < attempts; attempt++) {
      const comma = at + 1;
      const items = wholeArray<T>(rest, comma);
      if (items !== undefined) {
        this.#rest = rest.subarray(comma);
        this.#rest[0] = openBracket;
        return items;
      }
      at = rest.lastIndexOf(boundary, at - 1);
    }
    return [];
  }
}

/** The text up to `comma` as an array, or undefined when `comma` was not between two of its items. */
function wholeArray<T>(text: Buffer, comma: number): T[] | undefined {
  text[comma] = closeBracket;
  try {
    return JSON.parse(text.toString("utf8", 0, comma + 1)) as T[];
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    text[comma] = 0x2c;
    return undefined;
  }
}

/** `},{"apiVersion":` for items that begin with `{"apiVersion":`; undefined until that much is there. */
function boundaryOf(rest: Buffer): Buffer | undefined {
  const end = rest.indexOf(colon);
  if (end < 0 || rest.toString("latin1", 1, 3) !== '{"') return undefined;
  return Buffer.concat([Buffer.from("},"), rest.subarray(1, end + 1)]);
}
