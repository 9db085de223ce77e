/** Searches as JavaScript's own, in time that is charged, and in linear time where its own could take the product of lengths. */
import { bordersOf, splitAt as splitLinearly, TextSearch } from "../text-search.ts";
import { spend, textWork } from "./work.ts";

/** Up to this product of lengths JavaScript's own search is used: at worst a millisecond. */
const MAX_PRODUCT = 1_000_000;

const isSmall = (text: string, part: string): boolean =>
  part.length <= 1 || text.length * part.length <= MAX_PRODUCT;

/** As `text.indexOf(part, from)`. */
export function indexIn(text: string, part: string, from = 0): number {
  spend(textWork(text.length));
  if (isSmall(text, part)) return text.indexOf(part, from);
  if (part.length > text.length) return -1;
  spend(part.length + text.length);
  return new TextSearch(part).next(text, Math.max(0, from));
}

/** As `text.lastIndexOf(part, from)`. */
export function lastIndexIn(text: string, part: string, from: number): number {
  spend(textWork(text.length));
  if (isSmall(text, part)) return text.lastIndexOf(part, from);
  if (part.length > text.length) return -1;
  const end = Math.min(text.length, from + part.length);
  spend(part.length + end);
  const backwards = part.split("").reverse().join("");
  const borders = bordersOf(backwards);
  let matched = 0;
  for (let at = end - 1; at >= 0; at--) {
    const unit = text.charCodeAt(at);
    while (matched > 0 && backwards.charCodeAt(matched) !== unit) matched = borders[matched - 1] ?? 0;
    if (backwards.charCodeAt(matched) === unit) matched++;
    if (matched === part.length) return at;
  }
  return -1;
}

/** As `text.split(separator)` for a separator that is not empty. */
export function splitAt(text: string, separator: string): string[] {
  spend(textWork(text.length));
  if (isSmall(text, separator)) return text.split(separator);
  if (separator.length <= text.length) spend(separator.length + text.length);
  return splitLinearly(text, separator);
}
