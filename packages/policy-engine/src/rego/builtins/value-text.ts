/**
 * A value as Rego writes it: what `sprintf("%v")`, `print` and error messages show (the String methods of
 * OPA's v1/ast). Keys and set members come in Rego's order.
 */
import {
  getKey,
  isArray,
  isSet,
  maxValueDepth,
  type RegoValue,
  sortedKeysOf,
  ValueDepthError,
} from "../values.ts";
import { numberText } from "./go/number-text.ts";
import { goQuote } from "./go/quote.ts";

export function valueText(value: RegoValue, depth = 0): string {
  if (typeof value === "string") {
    return goQuote(value);
  }
  if (typeof value === "number" || typeof value === "bigint") {
    return numberText(value);
  }
  if (value === null || typeof value === "boolean") {
    return String(value);
  }
  if (depth >= maxValueDepth) {
    throw new ValueDepthError();
  }
  if (isArray(value)) {
    return `[${value.map((item) => valueText(item, depth + 1)).join(", ")}]`;
  }
  if (isSet(value)) {
    const items = value.sorted().map((item) => valueText(item, depth + 1));
    return items.length === 0 ? "set()" : `{${items.join(", ")}}`;
  }
  const entries = sortedKeysOf(value).map(
    (key) => `${valueText(key, depth + 1)}: ${valueText(getKey(value, key) ?? null, depth + 1)}`,
  );
  return `{${entries.join(", ")}}`;
}

/** A value inside a text: strings without quotes, all else as Rego writes it. */
export function plainText(value: RegoValue): string {
  return typeof value === "string" ? value : valueText(value);
}
