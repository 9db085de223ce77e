import { spend } from "./work.ts";

// Sizes and positions of CEL strings count code points; JavaScript's count UTF-16 units. Most text has no
// surrogates, so that is looked for first.

/** What reading a character takes, in units of work.ts: alone, and when it becomes a string of its own. */
const READ = 1 / 8;
const MADE = 2;

/** Whether a string holds code points of two UTF-16 units each. */
export function hasSurrogates(text: string): boolean {
  spend(text.length * READ);
  return SURROGATE.test(text);
}

/** Far quicker than to look at one unit after the other. */
const SURROGATE = /[\ud800-\udfff]/;

/** The number of code points. */
export function codePointLength(text: string): number {
  let length = text.length;
  spend(length * READ);
  if (!SURROGATE.test(text)) return length;
  for (let i = 0; i + 1 < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0xd800 || unit > 0xdbff) continue;
    const next = text.charCodeAt(i + 1);
    if (next >= 0xdc00 && next <= 0xdfff) {
      length--;
      i++;
    }
  }
  return length;
}

/** The code points as strings, so that they can be indexed. */
export function codePoints(text: string): readonly string[] {
  spend(text.length * MADE);
  return hasSurrogates(text) ? [...text] : text.split("");
}

/** The number of bytes in UTF-8. */
export function utf8Length(text: string): number {
  let length = text.length;
  spend(length * READ);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    // A pair of surrogates makes four bytes, two for each.
    length += unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2;
  }
  return length;
}
