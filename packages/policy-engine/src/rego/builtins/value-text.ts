/**
 * A value as Rego writes it: what `sprintf("%v")`, `print` and error messages show (the String methods of
 * OPA's v1/ast). Keys and set members come in Rego's order.
 */
import { enterValue, getKey, isArray, isSet, type RegoValue, sizeOf, sortedKeysOf } from "../values.ts";
import { countWork } from "../work-meter.ts";
import { numberText } from "./go/number-text.ts";
import { goQuote } from "./go/quote.ts";
import { TextLength } from "./limits.ts";

export function valueText(value: RegoValue): string {
  return new ValueWriter().write(value, 0);
}

/** Values may be shared, so a text can be far longer than its value is large: it is counted while it grows. */
class ValueWriter {
  readonly #length = new TextLength();

  write(value: RegoValue, depth: number): string {
    if (typeof value === "string") {
      return this.#length.grown(goQuote(value));
    }
    if (typeof value === "number" || typeof value === "bigint") {
      return this.#length.grown(numberText(value));
    }
    if (value === null || typeof value === "boolean") {
      return this.#length.grown(String(value));
    }
    enterValue(depth);
    if (isArray(value)) {
      return `[${value.map((item) => this.write(item, depth + 1)).join(", ")}]`;
    }
    if (isSet(value)) {
      const items = value.sorted().map((item) => this.write(item, depth + 1));
      return items.length === 0 ? "set()" : `{${items.join(", ")}}`;
    }
    countWork(sizeOf(value));
    const entries = sortedKeysOf(value).map(
      (key) => `${this.write(key, depth + 1)}: ${this.write(getKey(value, key) ?? null, depth + 1)}`,
    );
    return `{${entries.join(", ")}}`;
  }
}

/** A value inside a text: strings without quotes, all else as Rego writes it. */
export function plainText(value: RegoValue): string {
  return typeof value === "string" ? value : valueText(value);
}
