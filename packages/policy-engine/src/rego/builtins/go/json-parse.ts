/**
 * Go's encoding/json reading into Rego values: numbers exact, of equal keys the last, and every key an object's own.
 * The messages are those of Go's decoder.
 */
import { maxValueDepth, type RegoNumber, type RegoValue, ValueDepthError } from "../../values.ts";
import { countWork } from "../../work-meter.ts";
import { decimalParts, numberOfParts, skipDigits } from "./number-text.ts";
import { isPrintable } from "./quote.ts";

/** A text is no JSON; the message is Go's. */
export class JsonSyntaxError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "JsonSyntaxError";
  }
}

/**
 * Parses one JSON document. @throws JsonSyntaxError, and ValueDepthError when it is nested too deep.
 * @param numberOf makes a number of what is written; undefined where it is none.
 */
export function parseJson(
  text: string,
  numberOf: (literal: string) => RegoNumber | undefined = exactNumber,
): RegoValue {
  const reader = new JsonReader(text, numberOf);
  const value = reader.value(0);
  reader.end();
  return value;
}

function exactNumber(literal: string): RegoNumber | undefined {
  const parts = decimalParts(literal);
  return parts === undefined ? undefined : numberOfParts(parts);
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["\\", "\\"],
  ["/", "/"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
]);

/** Values, keys and escapes that are read before they are counted as work, together: a look at each would cost as much. */
const countedTogether = 64;

class JsonReader {
  readonly #text: string;
  readonly #numberOf: (literal: string) => RegoNumber | undefined;
  #at = 0;
  #uncounted = 0;

  constructor(text: string, numberOf: (literal: string) => RegoNumber | undefined) {
    this.#text = text;
    this.#numberOf = numberOf;
  }

  #fail(context: string): JsonSyntaxError {
    const code = this.#text.codePointAt(this.#at);
    if (code === undefined) {
      return new JsonSyntaxError(this.#text.trim() === "" ? "EOF" : "unexpected EOF");
    }
    return new JsonSyntaxError(`invalid character ${quoteCharacter(code)} ${context}`);
  }

  /** Texts come from anywhere, and a megabyte takes a second: whoever counts must see it pass. */
  #count(): void {
    this.#uncounted += 1;
    if (this.#uncounted < countedTogether) {
      return;
    }
    this.#uncounted = 0;
    countWork(countedTogether);
  }

  #space(): void {
    for (;;) {
      const unit = this.#text.charCodeAt(this.#at);
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) {
        return;
      }
      this.#at += 1;
    }
  }

  end(): void {
    this.#space();
    if (this.#at < this.#text.length) {
      const starts = '{["tfn-0123456789'.includes(this.#text.charAt(this.#at));
      const { message } = this.#fail(starts ? "after top-level value" : "looking for beginning of value");
      throw new JsonSyntaxError(starts ? `error: ${message}` : message);
    }
  }

  value(depth: number): RegoValue {
    if (depth >= maxValueDepth) {
      throw new ValueDepthError();
    }
    this.#count();
    this.#space();
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object(depth);
      case "[":
        return this.#array(depth);
      case '"':
        return this.#string();
      case "t":
        return this.#word("true", true);
      case "f":
        return this.#word("false", false);
      case "n":
        return this.#word("null", null);
      default:
        return this.#number();
    }
  }

  #word(word: string, value: RegoValue): RegoValue {
    const start = this.#at;
    for (let index = 0; index < word.length; index += 1) {
      this.#at = start + index;
      if (this.#text[this.#at] !== word[index]) {
        throw this.#fail(`in literal ${word} (expecting ${quoteCharacter(word.charCodeAt(index))})`);
      }
    }
    this.#at = start + word.length;
    return value;
  }

  #number(): RegoNumber {
    const start = this.#at;
    if (this.#text[this.#at] === "-") {
      this.#at += 1;
    }
    const digits = skipDigits(this.#text, this.#at);
    if (digits === this.#at) {
      throw this.#fail(this.#at === start ? "looking for beginning of value" : "in numeric literal");
    }
    this.#at = this.#text[this.#at] === "0" ? this.#at + 1 : digits;
    if (this.#text[this.#at] === ".") {
      this.#at += 1;
      this.#digits("after decimal point in numeric literal");
    }
    if (this.#text[this.#at] === "e" || this.#text[this.#at] === "E") {
      this.#at += 1;
      if (this.#text[this.#at] === "+" || this.#text[this.#at] === "-") {
        this.#at += 1;
      }
      this.#digits("in exponent of numeric literal");
    }
    const value = this.#numberOf(this.#text.slice(start, this.#at));
    if (value === undefined) {
      throw new JsonSyntaxError("invalid number: number too big");
    }
    return value;
  }

  #digits(context: string): void {
    const end = skipDigits(this.#text, this.#at);
    if (end === this.#at) {
      throw this.#fail(context);
    }
    this.#at = end;
  }

  #string(): string {
    this.#at += 1;
    const parts: string[] = [];
    let start = this.#at;
    for (;;) {
      const unit = this.#text.charCodeAt(this.#at);
      if (unit === 0x22) {
        parts.push(this.#text.slice(start, this.#at));
        this.#at += 1;
        return parts.join("");
      }
      if (unit === 0x5c) {
        parts.push(this.#text.slice(start, this.#at), this.#escape());
        start = this.#at;
      } else if (unit >= 0x20) {
        this.#at += 1;
      } else {
        throw this.#fail("in string literal");
      }
    }
  }

  #escape(): string {
    this.#count();
    this.#at += 1;
    const letter = this.#text.charAt(this.#at);
    if (letter === "u") {
      this.#at += 1;
      return this.#unicode();
    }
    const meaning = ESCAPES.get(letter);
    if (meaning === undefined) {
      throw this.#fail("in string escape code");
    }
    this.#at += 1;
    return meaning;
  }

  #hex4(): number {
    let value = 0;
    for (let index = 0; index < 4; index += 1) {
      const digit = Number.parseInt(this.#text.charAt(this.#at), 16);
      if (Number.isNaN(digit)) {
        throw this.#fail("in \\u hexadecimal character escape");
      }
      value = value * 16 + digit;
      this.#at += 1;
    }
    return value;
  }

  /** A surrogate without its other half is U+FFFD. */
  #unicode(): string {
    const first = this.#hex4();
    if (first < 0xd800 || first > 0xdfff) {
      return String.fromCharCode(first);
    }
    if (first < 0xdc00 && this.#text.startsWith("\\u", this.#at)) {
      const before = this.#at;
      this.#at += 2;
      const second = this.#hex4();
      if (second >= 0xdc00 && second <= 0xdfff) {
        return String.fromCharCode(first, second);
      }
      this.#at = before;
    }
    return "\ufffd";
  }

  #array(depth: number): readonly RegoValue[] {
    this.#at += 1;
    const items: RegoValue[] = [];
    this.#space();
    if (this.#text[this.#at] === "]") {
      this.#at += 1;
      return items;
    }
    for (;;) {
      items.push(this.value(depth + 1));
      if (this.#next("]", "after array element")) {
        return items;
      }
    }
  }

  /** Past a comma (false) or the closing bracket (true). */
  #next(close: string, context: string): boolean {
    this.#space();
    const found = this.#text[this.#at];
    if (found !== "," && found !== close) {
      throw this.#fail(context);
    }
    this.#at += 1;
    return found === close;
  }

  /** Of equal keys the last counts, as in Go. The object has no prototype, so every key is its own. */
  #object(depth: number): RegoValue {
    this.#at += 1;
    const object: Record<string, RegoValue> = Object.create(null);
    this.#space();
    if (this.#text[this.#at] === "}") {
      this.#at += 1;
      return object;
    }
    for (;;) {
      this.#space();
      if (this.#text[this.#at] !== '"') {
        throw this.#fail("looking for beginning of object key string");
      }
      this.#count();
      const key = this.#string();
      this.#space();
      if (this.#text[this.#at] !== ":") {
        throw this.#fail("after object key");
      }
      this.#at += 1;
      object[key] = this.value(depth + 1);
      if (this.#next("}", "after object key:value pair")) {
        return object;
      }
    }
  }
}

/** A character as encoding/json's messages show it. */
function quoteCharacter(code: number): string {
  if (code === 0x27) {
    return "'\\''";
  }
  if (code === 0x22) {
    return "'\"'";
  }
  if (code === 0x5c) {
    return "'\\\\'";
  }
  const character = String.fromCodePoint(code);
  return `'${isPrintable(code) ? character : JSON.stringify(character).slice(1, -1)}'`;
}
