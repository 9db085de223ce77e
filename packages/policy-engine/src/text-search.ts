/**
 * Searches that take time in proportion to the text, whatever is looked for. V8's own compare the whole pattern at
 * every place in the worst case, which for two long texts takes minutes.
 */

/** Patterns up to this length are left to V8: it cannot compare more than that at a place. */
const shortPattern = 16;

/** Called now and then while a text is searched, every so many characters: it may end the search by throwing. */
export type Tick = () => void;
const charactersPerTick = 64;
const noTick: Tick = () => {};

/** Looks for one pattern; the automaton is that of Knuth, Morris and Pratt. */
export class TextSearch {
  readonly #pattern: string;
  /** For each end of the pattern's beginnings: how long a beginning of the pattern also ends there. */
  #borders: Int32Array | undefined;
  readonly #tick: Tick;

  constructor(pattern: string, tick: Tick = noTick) {
    this.#pattern = pattern;
    this.#tick = tick;
  }

  /** The first occurrence at or behind an offset, -1 when there is none. */
  next(text: string, from: number): number {
    const pattern = this.#pattern;
    if (pattern.length <= shortPattern) return text.indexOf(pattern, from);
    const found = this.#run(text, from, 1);
    return found[0] ?? -1;
  }

  /** The first `most` occurrences, which may overlap. */
  all(text: string, most = Number.POSITIVE_INFINITY): readonly number[] {
    if (this.#pattern.length > shortPattern) return this.#run(text, 0, most);
    const found: number[] = [];
    for (let at = text.indexOf(this.#pattern); at >= 0; at = text.indexOf(this.#pattern, at + 1)) {
      if (found.length === most) return found;
      found.push(at);
    }
    return found;
  }

  #run(text: string, from: number, most: number): readonly number[] {
    const pattern = this.#pattern;
    const found: number[] = [];
    if (text.length - from < pattern.length) return found;
    this.#borders ??= bordersOf(pattern, this.#tick);
    const borders = this.#borders;
    let matched = 0;
    for (let at = from; at < text.length; at++) {
      if (at % charactersPerTick === 0) this.#tick();
      const unit = text.charCodeAt(at);
      while (matched > 0 && pattern.charCodeAt(matched) !== unit) matched = borders[matched - 1] ?? 0;
      if (pattern.charCodeAt(matched) === unit) matched++;
      if (matched < pattern.length) continue;
      found.push(at + 1 - matched);
      if (found.length === most) return found;
      matched = borders[matched - 1] ?? 0;
    }
    return found;
  }
}

/** For every beginning of a pattern: how long a shorter beginning it also ends with. */
export function bordersOf(pattern: string, tick: Tick = noTick): Int32Array {
  const borders = new Int32Array(pattern.length);
  let length = 0;
  for (let at = 1; at < pattern.length; at++) {
    if (at % charactersPerTick === 0) tick();
    const unit = pattern.charCodeAt(at);
    while (length > 0 && pattern.charCodeAt(length) !== unit) length = borders[length - 1] ?? 0;
    if (pattern.charCodeAt(length) === unit) length++;
    borders[at] = length;
  }
  return borders;
}

/** As `text.indexOf(search, from)`. */
export function indexIn(text: string, search: string, from = 0, tick?: Tick): number {
  return search.length <= shortPattern
    ? text.indexOf(search, from)
    : new TextSearch(search, tick).next(text, from);
}

/** As `text.split(separator, most)`, for a separator that is not empty. */
export function splitAt(text: string, separator: string, most = 2 ** 32 - 1, tick?: Tick): string[] {
  if (separator.length <= shortPattern) return text.split(separator, most);
  const search = new TextSearch(separator, tick);
  const parts: string[] = [];
  let from = 0;
  for (let at = search.next(text, 0); at >= 0; at = search.next(text, from)) {
    if (parts.length === most) return parts;
    parts.push(text.slice(from, at));
    from = at + separator.length;
  }
  if (parts.length < most) parts.push(text.slice(from));
  return parts;
}
