/**
 * `JSON.parse` for texts of which some numbers are to be read otherwise. The text is parsed as it is; then one pass over it
 * finds those numbers, and only they are put in anew. A reviver, or a reader of one's own, would take twenty times as long
 * for a large document because of a single number in it.
 */

/** Which numbers are read otherwise, and how. */
export interface LiteralRules {
  /** Whether a text may have any. */
  readonly perhaps: RegExp;
  /** Characters of the shortest. */
  readonly shortest: number;
  /** What a number of at least so many stands for; undefined: what JSON.parse made of it. */
  read(literal: string): unknown;
}

const [quote, comma, colon, minus, backslash] = [0x22, 0x2c, 0x3a, 0x2d, 0x5c];
const [openBracket, closeBracket, openBrace, closeBrace] = [0x5b, 0x5d, 0x7b, 0x7d];

/** @throws SyntaxError, and whatever `read` throws */
export function parseWithLiterals(text: string, rules: LiteralRules): unknown {
  const value: unknown = JSON.parse(text);
  return rules.perhaps.test(text) ? new LiteralPass(text, rules).over(value) : value;
}

type Container = Record<string | number, unknown>;

/** Goes through text that is known to be JSON. */
class LiteralPass {
  readonly #text: string;
  readonly #rules: LiteralRules;
  /** Of each container that is open: the place of the value that comes next, an index or where its key is written. */
  readonly #places: (number | { readonly from: number; readonly to: number })[] = [];
  /** The values of those containers, as far as somebody asked; null where the text has a key twice and another won. */
  #containers: (Container | null)[] = [];
  #isKeyNext = false;

  constructor(text: string, rules: LiteralRules) {
    this.#text = text;
    this.#rules = rules;
  }

  over(value: unknown): unknown {
    const root: Container = { value };
    this.#containers = [root];
    // As if the text were the value of `{"value": …}`.
    this.#places.push(rootPlace);
    for (let at = 0; at < this.#text.length; ) at = this.#step(at);
    return root.value;
  }

  /** The offset behind what begins there. */
  #step(at: number): number {
    const code = this.#text.charCodeAt(at);
    if (code === quote) return this.#string(at);
    if (code === minus || isDigit(code)) return this.#number(at);
    if (code === comma) this.#next();
    else if (code === colon) this.#isKeyNext = false;
    else if (code === openBracket || code === openBrace) this.#open(code);
    else if (code === closeBracket || code === closeBrace) this.#close();
    return at + 1;
  }

  #open(code: number): void {
    this.#places.push(code === openBracket ? 0 : noKey);
    this.#isKeyNext = code === openBrace;
  }

  #close(): void {
    this.#places.pop();
    if (this.#containers.length > this.#places.length) this.#containers.pop();
    this.#isKeyNext = false;
  }

  #next(): void {
    const last = this.#places.length - 1;
    const place = this.#places[last];
    if (typeof place === "number") this.#places[last] = place + 1;
    else this.#isKeyNext = true;
  }

  #string(from: number): number {
    let at = from + 1;
    for (let code = this.#text.charCodeAt(at); code !== quote; code = this.#text.charCodeAt(at))
      at += code === backslash ? 2 : 1;
    const to = at + 1;
    if (this.#isKeyNext) this.#places[this.#places.length - 1] = { from, to };
    return to;
  }

  #number(from: number): number {
    let to = from + 1;
    while (isOfNumber(this.#text.charCodeAt(to))) to++;
    if (to - from < this.#rules.shortest) return to;
    const literal = this.#text.slice(from, to);
    const meant = this.#rules.read(literal);
    if (meant !== undefined) this.#put(literal, meant);
    return to;
  }

  #put(literal: string, meant: unknown): void {
    const depth = this.#places.length - 1;
    const container = this.#containerAt(depth);
    if (container === null) return;
    const key = this.#keyAt(depth);
    if (Object.hasOwn(container, key) && container[key] === Number(literal)) container[key] = meant;
  }

  /** Of equal keys the last counts, and the text may be within another: what is there must have that place. */
  #containerAt(depth: number): Container | null {
    for (let at = this.#containers.length; at <= depth; at++) {
      const around = this.#containers[at - 1] ?? null;
      const key = this.#keyAt(at - 1);
      const value = around !== null && Object.hasOwn(around, key) ? around[key] : null;
      const isList = typeof this.#places[at] === "number";
      const isThere = typeof value === "object" && value !== null && Array.isArray(value) === isList;
      this.#containers.push(isThere ? (value as Container) : null);
    }
    return this.#containers[depth] ?? null;
  }

  #keyAt(depth: number): string | number {
    const place = this.#places[depth] ?? 0;
    if (typeof place === "number") return place;
    return place === rootPlace ? "value" : (JSON.parse(this.#text.slice(place.from, place.to)) as string);
  }
}

const rootPlace = { from: 0, to: 0 };
const noKey = { from: 0, to: 0 };

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** Digits, a point, an exponent and its sign. */
function isOfNumber(code: number): boolean {
  return isDigit(code) || code === 0x2e || code === 0x65 || code === 0x45 || code === 0x2b || code === minus;
}
