/**
 * Searching a text for another in linear time. JavaScript's own search takes the product of both lengths at worst ("a…a"
 * for "a…ab"), so it is left alone with large ones.
 */
import { spend, textWork } from "./work.ts";

/** Up to this product of lengths JavaScript's own search is used: at worst a millisecond. */
const MAX_PRODUCT = 1_000_000;

const isSmall = (text: string, part: string): boolean =>
  part.length <= 1 || text.length * part.length <= MAX_PRODUCT;

/** As `text.indexOf(part, from)`. */
export function indexIn(text: string, part: string, from = 0): number {
  spend(textWork(text.length));
  if (isSmall(text, part)) return text.indexOf(part, from);
  for (const at of occurrences(text, part, from)) return at;
  return -1;
}

/** As `text.lastIndexOf(part, from)`. */
export function lastIndexIn(text: string, part: string, from: number): number {
  spend(textWork(text.length));
  if (isSmall(text, part)) return text.lastIndexOf(part, from);
  if (part.length > text.length) return -1;
  const end = Math.min(text.length, from + part.length);
  const last = part.length - 1;
  const fails = failureTable(part.length, (at) => part.charCodeAt(last - at));
  spend(end);
  let matched = 0;
  for (let at = end - 1; at >= 0; at--) {
    const unit = text.charCodeAt(at);
    while (matched > 0 && part.charCodeAt(last - matched) !== unit) matched = fails[matched - 1] ?? 0;
    if (part.charCodeAt(last - matched) === unit) matched++;
    if (matched === part.length) return at;
  }
  return -1;
}

/** As `text.split(separator)` for a separator that is not empty. */
export function splitAt(text: string, separator: string): string[] {
  spend(textWork(text.length));
  if (isSmall(text, separator)) return text.split(separator);
  const parts: string[] = [];
  let start = 0;
  for (const at of occurrences(text, separator, 0)) {
    parts.push(text.slice(start, at));
    start = at + separator.length;
  }
  parts.push(text.slice(start));
  return parts;
}

/** Where `part` occurs, from left to right and without overlap (Knuth, Morris and Pratt). */
function* occurrences(text: string, part: string, from: number): Generator<number> {
  if (part.length > text.length) return;
  const fails = failureTable(part.length, (at) => part.charCodeAt(at));
  spend(text.length);
  let matched = 0;
  for (let at = Math.max(0, from); at < text.length; at++) {
    const unit = text.charCodeAt(at);
    while (matched > 0 && part.charCodeAt(matched) !== unit) matched = fails[matched - 1] ?? 0;
    if (part.charCodeAt(matched) === unit) matched++;
    if (matched < part.length) continue;
    matched = 0;
    yield at + 1 - part.length;
  }
}

/** For every prefix of a pattern: the length of the longest shorter prefix that it ends with. */
function failureTable(length: number, unitAt: (at: number) => number): Int32Array {
  spend(length);
  const fails = new Int32Array(length);
  let matched = 0;
  for (let at = 1; at < length; at++) {
    while (matched > 0 && unitAt(at) !== unitAt(matched)) matched = fails[matched - 1] ?? 0;
    if (unitAt(at) === unitAt(matched)) matched++;
    fails[at] = matched;
  }
  return fails;
}
