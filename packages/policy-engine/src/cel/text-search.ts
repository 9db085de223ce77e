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
  return new TextSearch(part, tick).next(text, Math.max(0, from));
}

/** As `text.lastIndexOf(part, from)`. */
export function lastIndexIn(text: string, part: string, from: number): number {
  spend(textWork(text.length));
  if (isSmall(text, part)) return text.lastIndexOf(part, from);
  if (part.length > text.length) return -1;
  const end = Math.min(text.length, from + part.length);
  spend(part.length + end);
  const backwards = reversed(part);
  const borders = bordersOf(backwards, tick);
  let matched = 0;
  for (let at = end - 1; at >= 0; at--) {
    if (at % CHARACTERS_PER_TICK === 0) tick();
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
  if (isSmall(text, separator))
    return text.length <= WINDOW ? text.split(separator) : [...splitInWindows(text, separator)].flat();
  if (separator.length <= text.length) spend(separator.length + text.length);
  return splitLinearly(text, separator, undefined, tick);
}

/** Charged already, before they begin: only for the clock to be looked at. */
const tick = (): void => spend(1);
const CHARACTERS_PER_TICK = 64;

/** By UTF-16 units. */
function reversed(text: string): string {
  const units = new Uint16Array(text.length);
  Buffer.from(units.buffer).write(text, "utf16le");
  units.reverse();
  return Buffer.from(units.buffer).toString("utf16le");
}

/** Characters split at a time. */
const WINDOW = 65_536;

/** The parts of `splitAt` in groups, so that the work of making them is counted while it is done. */
export function* splitInWindows(text: string, separator: string): Generator<readonly string[], void, void> {
  if (!isSmall(text, separator)) {
    yield splitAt(text, separator);
    return;
  }
  /** Where the part begins whose end was not found yet. */
  let begin = 0;
  for (let from = 0; ; ) {
    const end = from + WINDOW + separator.length - 1;
    const [first = "", ...others] = text.slice(from, end).split(separator);
    spend(others.length + 1 + textWork(WINDOW));
    const whole = text.slice(begin, from + first.length);
    if (end >= text.length) {
      yield [whole, ...others];
      return;
    }
    const last = others.pop();
    if (last !== undefined) {
      yield [whole, ...others];
      begin = end - last.length;
    }
    // What is at the end may be the beginning of a separator.
    from = Math.max(begin, end - separator.length + 1);
  }
}
