/**
 * Go's strings.ToUpper and ToLower: rune by rune with Unicode's simple mappings, where JavaScript's are full
 * ("ß" has no simple upper case and stays) and look at the context (final sigma).
 */
import { inStretches } from "./stretches.ts";

/** Upper case is title case with iota adscript for these (UnicodeData.txt), not the two letters of the full mapping. */
function greekUpper(code: number): number {
  if (code >= 0x1f80 && code <= 0x1faf) {
    return code | 8;
  }
  return code === 0x1fb3 || code === 0x1fc3 || code === 0x1ff3 ? code + 9 : code;
}

/** The runes whose full upper case is another than the simple one. */
const UPPER_DIFFERS =
  /[\u00df\u0149\u01f0\u0390\u03b0\u0587\u1e96-\u1e9a\u1f50\u1f52\u1f54\u1f56\u1f80-\u1faf\u1fb2-\u1fb4\u1fb6\u1fb7\u1fbc\u1fc2-\u1fc4\u1fc6\u1fc7\u1fcc\u1fd2\u1fd3\u1fd6\u1fd7\u1fe2-\u1fe4\u1fe6\u1fe7\u1ff2-\u1ff4\u1ff6\u1ff7\u1ffc\ufb00-\ufb06\ufb13-\ufb17]/;
/** Those whose lower case is another, or hangs on what is beside them. */
const LOWER_DIFFERS = /[\u0130\u03a3]/;

function runeByRune(text: string, convert: (character: string) => string): string {
  return Array.from(text, (character) => {
    const result = convert(character);
    const single = Array.from(result).length === 1;
    return single ? result : character;
  }).join("");
}

function upperRune(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const greek = greekUpper(code);
  return greek === code ? character.toUpperCase() : String.fromCodePoint(greek);
}

const lowerRune = (character: string): string => (character === "\u0130" ? "i" : character.toLowerCase());

export function toUpper(text: string): string {
  return inStretches(text, (part) =>
    UPPER_DIFFERS.test(part) ? runeByRune(part, upperRune) : part.toUpperCase(),
  );
}

export function toLower(text: string): string {
  return inStretches(text, (part) =>
    LOWER_DIFFERS.test(part) ? runeByRune(part, lowerRune) : part.toLowerCase(),
  );
}
