const quote = 0x22;
const backslash = 0x5c;

/**
 * Whether JSON text nests objects and arrays deeper than `limit`. Looks at bytes only, before anything is parsed, so
 * that a small body cannot make parsing or later walks expensive. Brackets in strings do not count.
 */
export function isNestedDeeperThan(bytes: Uint8Array, limit: number): boolean {
  return measureJson(bytes).depth > limit;
}

/** What JSON text will take once it is parsed, as its bytes tell. */
export interface JsonSize {
  /** Levels of objects and arrays. */
  readonly depth: number;
  /** Values in it, at the most: so many commas and so many objects and arrays. */
  readonly values: number;
}

/** Looks at bytes only, as `isNestedDeeperThan` does. */
export function measureJson(bytes: Uint8Array): JsonSize {
  let depth = 0;
  let deepest = 0;
  let values = 1;
  for (let i = 0; i < bytes.length; i++) {
    switch (bytes[i]) {
      case quote:
        i = endOfString(bytes, i);
        break;
      case 0x7b: // {
      case 0x5b: // [
        values++;
        if (++depth > deepest) deepest = depth;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        depth--;
        break;
      case 0x2c: // ,
        values++;
        break;
      default:
    }
  }
  return { depth: deepest, values };
}

/** Where the closing quote of the string is that begins at `start`; where text ends within it, its length or more. */
export function endOfString(bytes: Uint8Array, start: number): number {
  let i = start + 1;
  while (i < bytes.length && bytes[i] !== quote) i += bytes[i] === backslash ? 2 : 1;
  return i;
}
