/** `JSON.parse` keeps one copy of strings up to this long by itself. */
const longestInternalized = 10;
/** Longer strings are hardly ever the same in two objects, and cost most to compare. */
const longestShared = 100;
const generationSize = 2_048;
/** What lies deeper is left alone: there is little of it, and 10,000 levels would be more than the stack takes. */
const deepestShared = 100;

/** Names that identify an object: never the same in two. */
const identity: ReadonlySet<string> = new Set(["uid", "resourceVersion", "name"]);

/**
 * Lets objects of one cache share what is the same in them. Objects of a kind resemble each other: each is compared with
 * the one before it, and parts of equal content become one part; other strings are looked up among those met lately. This
 * is safe because everything a cache hands out is frozen, and costs less than a tenth of parsing.
 *
 * What it remembers is bounded: the object before, and two generations of strings.
 */
export class Sharing {
  #previous: Record<string, unknown> | undefined;
  #strings = new Map<string, string>();
  #olderStrings = new Map<string, string>();

  /** Changes `object`, a JSON value nobody else holds yet, in place. */
  share(object: object): void {
    const own = object as Record<string, unknown>;
    this.#walk(own, this.#previous ?? none, 0);
    this.#previous = own;
  }

  /** Returns whether the two hold the same. */
  #walk(own: Record<string, unknown>, previous: Record<string, unknown>, depth: number): boolean {
    if (depth > deepestShared) return false;
    let isSame = previous !== none;
    let count = 0;
    for (const name in own) {
      count++;
      isSame = this.#shareField(own, name, previous, depth) && isSame;
    }
    return isSame && count === sizeOf(previous);
  }

  #shareField(
    own: Record<string, unknown>,
    name: string,
    previous: Record<string, unknown>,
    depth: number,
  ): boolean {
    // Of an object without such a field this would be Object.prototype, which is nobody's content.
    if (name === "__proto__") return false;
    const value = own[name];
    const before = previous[name];
    if (typeof value === "string") {
      if (value === before) own[name] = before;
      else if (isWorthSharing(name, value)) own[name] = this.#known(value);
      return value === before;
    }
    if (typeof value !== "object" || value === null) return value === before;
    const alike = isAlike(value, before) ? before : none;
    if (!this.#walk(value as Record<string, unknown>, alike, depth + 1)) return false;
    own[name] = before;
    return true;
  }

  #known(text: string): string {
    const known = this.#strings.get(text) ?? this.#olderStrings.get(text);
    if (known !== undefined) return known;
    if (this.#strings.size >= generationSize) {
      const emptied = this.#olderStrings;
      emptied.clear();
      this.#olderStrings = this.#strings;
      this.#strings = emptied;
    }
    this.#strings.set(text, text);
    return text;
  }
}

const none: Record<string, unknown> = Object.freeze({ __proto__: null });

function isWorthSharing(name: string, text: string): boolean {
  return text.length > longestInternalized && text.length <= longestShared && !identity.has(name);
}

function isAlike(value: object, before: unknown): before is Record<string, unknown> {
  return typeof before === "object" && before !== null && Array.isArray(value) === Array.isArray(before);
}

function sizeOf(object: Record<string, unknown>): number {
  let size = 0;
  for (const _ in object) size++;
  return size;
}
