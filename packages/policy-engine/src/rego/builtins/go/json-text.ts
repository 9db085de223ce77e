/**
 * Go's encoding/json writing Rego values: numbers exact, keys sorted, `<`, `>`, `&` and the line separators
 * escaped, sets as arrays, and keys that are no strings as their JSON text (OPA's v1/ast JSON).
 */
import {
  compareStrings,
  enterValue,
  entriesOf,
  isArray,
  isSet,
  type RegoValue,
  sizeOf,
  sorted,
} from "../../values.ts";
import { countWork } from "../../work-meter.ts";
import { refuseLongText, TextLength } from "../limits.ts";
import { numberText } from "./number-text.ts";
import { inStretches } from "./stretches.ts";

const HTML: ReadonlyMap<string, string> = new Map([
  ["<", "\\u003c"],
  [">", "\\u003e"],
  ["&", "\\u0026"],
  ["\u2028", "\\u2028"],
  ["\u2029", "\\u2029"],
]);

const ESCAPED = /[<>&\u2028\u2029]/;
const ALL_ESCAPED = new RegExp(ESCAPED, "g");

export function jsonString(text: string): string {
  countWork(text.length >>> 4);
  return `"${inStretches(text, escaped)}"`;
}

function escaped(text: string): string {
  const plain = JSON.stringify(text.isWellFormed() ? text : text.toWellFormed()).slice(1, -1);
  return ESCAPED.test(plain)
    ? plain.replaceAll(ALL_ESCAPED, (character) => HTML.get(character) ?? character)
    : plain;
}

/** The key under which a Rego key is written. */
export function jsonKey(key: RegoValue, depth = 0): string {
  return typeof key === "string" ? key : new JsonWriter(undefined).write(key, depth);
}

interface Layout {
  readonly prefix: string;
  readonly indent: string;
}

/** JSON text of a value; with a layout as Go's MarshalIndent writes it. */
export function jsonText(value: RegoValue, layout?: Layout): string {
  return new JsonWriter(layout).write(value, 0);
}

/** An object's entries under their JSON keys, sorted. */
export function jsonEntries(value: RegoValue & object, depth = 0): readonly (readonly [string, RegoValue])[] {
  if (isArray(value) || isSet(value)) {
    return [];
  }
  countWork(sizeOf(value));
  const entries = Array.from(entriesOf(value), ([key, item]) => [jsonKey(key, depth), item] as const);
  return sorted(entries, ([left], [right]) => compareStrings(left, right));
}

class JsonWriter {
  readonly #layout: Layout | undefined;
  /** What indentation has added so far; it can outgrow the value by far. */
  #indented = 0;
  readonly #length = new TextLength();

  constructor(layout: Layout | undefined) {
    this.#layout = layout;
  }

  #group(open: string, items: readonly string[], close: string, depth: number): string {
    if (this.#layout === undefined || items.length === 0) {
      return open + items.join(",") + close;
    }
    const outer = `\n${this.#layout.prefix}${this.#layout.indent.repeat(depth)}`;
    const inner = outer + this.#layout.indent;
    this.#indented += inner.length * (items.length + 1);
    refuseLongText(this.#indented);
    return open + inner + items.join(`,${inner}`) + outer + close;
  }

  write(value: RegoValue, depth: number): string {
    if (value === null || typeof value === "boolean") {
      return this.#length.grown(String(value));
    }
    if (typeof value === "string") {
      return this.#length.grown(jsonString(value));
    }
    if (typeof value === "number" || typeof value === "bigint") {
      return this.#length.grown(numberText(value));
    }
    enterValue(depth);
    if (isArray(value) || isSet(value)) {
      const list = isSet(value) ? value.sorted() : value;
      return this.#group(
        "[",
        list.map((item) => this.write(item, depth + 1)),
        "]",
        depth,
      );
    }
    const colon = this.#layout === undefined ? ":" : ": ";
    const items = jsonEntries(value, depth + 1).map(
      ([key, item]) => this.#length.grown(jsonString(key)) + colon + this.write(item, depth + 1),
    );
    return this.#group("{", items, "}", depth);
  }
}
