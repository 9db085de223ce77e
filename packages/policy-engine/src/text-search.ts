/**
 * Searches that take time in proportion to the text, whatever is looked for. V8's own compare the whole pattern at
 * every place in the worst case, which for two long texts takes minutes.
 */

/** Patterns up to this length are left to V8: it cannot compare more than that at a place. */
const shortPattern = 16;

/** Looks for one pattern; the automaton is that of Knuth, Morris and Pratt. */
export class TextSearch {
  readonly #pattern: string;
  /** For each end of the pattern's beginnings: how long a beginning of the pattern also ends there. */
  readonly #borders: Int32Array;

  constructor(pattern: string) {
    this.#pattern = pattern;
    this.#borders = pattern.length > shortPattern ? bordersOf(pattern) : new Int32Array(0);
  }

  /** The first occurrence at or behind an offset, -1 when there is none. */
  next(text: string, from: number): number {
    const pattern = this.#pattern;
    if (pattern.length <= shortPattern) return text.indexOf(pattern, from);
    const found = this.#run(text, from, true);
    return found[0] ?? -1;
  }

  /** All occurrences, which may overlap. */
  all(text: string): readonly number[] {
    if (this.#pattern.length > shortPattern) return this.#run(text, 0, false);
    const found: number[] = [];
    for (let at = text.indexOf(this.#pattern); at >= 0; at = text.indexOf(this.#pattern, at + 1))
      found.push(at);
    return found;
  }

  #run(text: string, from: number, onlyFirst: boolean): readonly number[] {
    const pattern = this.#pattern;
    const found: number[] = [];
    let matched = 0;
    for (let at = from; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      while (matched > 0 && pattern.charCodeAt(matched) !== unit) matched = this.#borders[matched - 1] ?? 0;
      if (pattern.charCodeAt(matched) === unit) matched++;
      if (matched < pattern.length) continue;
      found.push(at + 1 - matched);
      if (onlyFirst) return found;
      matched = this.#borders[matched - 1] ?? 0;
    }
    return found;
  }
}

/** For every beginning of a pattern: how long a shorter beginning it also ends with. */
export function bordersOf(pattern: string): Int32Array {
  const borders = new Int32Array(pattern.length);
  let length = 0;
  for (let at = 1; at < pattern.length; at++) {
    const unit = pattern.charCodeAt(at);
    while (length > 0 && pattern.charCodeAt(length) !== unit) length = borders[length - 1] ?? 0;
    if (pattern.charCodeAt(length) === unit) length++;
    borders[at] = length;
  }
  return borders;
}

/** As `text.indexOf(search, from)`. */
export function indexIn(text: string, search: string, from = 0): number {
  return search.length <= shortPattern ? text.indexOf(search, from) : new TextSearch(search).next(text, from);
}

/** As `text.split(separator)`, for a separator that is not empty. */
export function splitAt(text: string, separator: string): string[] {
  if (separator.length <= shortPattern) return text.split(separator);
  const search = new TextSearch(separator);
  const parts: string[] = [];
  let from = 0;
  for (let at = search.next(text, 0); at >= 0; at = search.next(text, from)) {
    parts.push(text.slice(from, at));
    from = at + separator.length;
  }
  parts.push(text.slice(from));
  return parts;
}
