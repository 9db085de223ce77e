/**
 * Go's encoding/json writing Rego values: numbers exact, keys sorted, `<`, `>`, `&` and the line separators
 * escaped, sets as arrays, and keys that are no strings as their JSON text (OPA's v1/ast JSON).
 */
import {
  compareStrings,
  entriesOf,
  isArray,
  isSet,
  maxValueDepth,
  type RegoValue,
  ValueDepthError,
} from "../../values.ts";
import { refuseLongText } from "../limits.ts";
import { numberText } from "./number-text.ts";

const HTML: ReadonlyMap<string, string> = new Map([
  ["<", "\\u003c"],
  [">", "\\u003e"],
  ["&", "\\u0026"],
  ["\u2028", "\\u2028"],
  ["\u2029", "\\u2029"],
]);

export function jsonString(text: string): string {
  const plain = JSON.stringify(text.isWellFormed() ? text : text.toWellFormed());
  const parts: string[] = [];
  let start = 0;
  for (let index = 0; index < plain.length; index += 1) {
    const escaped = HTML.get(plain.charAt(index));
    if (escaped !== undefined) {
      parts.push(plain.slice(start, index), escaped);
      start = index + 1;
    }
  }
  parts.push(plain.slice(start));
  return parts.join("");
}

/** The key under which a Rego key is written. */
export function jsonKey(key: RegoValue): string {
  return typeof key === "string" ? key : jsonText(key);
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
export function jsonEntries(value: RegoValue & object): readonly (readonly [string, RegoValue])[] {
  if (isArray(value) || isSet(value)) {
    return [];
  }
  const entries = Array.from(entriesOf(value), ([key, item]) => [jsonKey(key), item] as const);
  return entries.sort(([left], [right]) => compareStrings(left, right));
}

class JsonWriter {
  readonly #layout: Layout | undefined;
  /** What indentation has added so far; it can outgrow the value by far. */
  #indented = 0;

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
      return String(value);
    }
    if (typeof value === "string") {
      return jsonString(value);
    }
    if (typeof value === "number" || typeof value === "bigint") {
      return numberText(value);
    }
    if (depth >= maxValueDepth) {
      throw new ValueDepthError();
    }
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
    const items = jsonEntries(value).map(
      ([key, item]) => jsonString(key) + colon + this.write(item, depth + 1),
    );
    return this.#group("{", items, "}", depth);
  }
}
