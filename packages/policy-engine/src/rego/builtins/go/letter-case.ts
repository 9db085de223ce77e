/**
 * Go's strings.ToUpper and ToLower: rune by rune with Unicode's simple mappings, where JavaScript's are full
 * ("ß" has no simple upper case and stays) and look at the context (final sigma).
 */
import { isAscii } from "./bytes.ts";

/** Upper case is title case with iota adscript for these (UnicodeData.txt), not the two letters of the full mapping. */
function greekUpper(code: number): number {
  if (code >= 0x1f80 && code <= 0x1faf) {
    return code | 8;
  }
  return code === 0x1fb3 || code === 0x1fc3 || code === 0x1ff3 ? code + 9 : code;
}

function mapped(text: string, convert: (character: string) => string): string {
  if (isAscii(text)) {
    return convert(text);
  }
  return Array.from(text, (character) => {
    const result = convert(character);
    const single = Array.from(result).length === 1;
    return single ? result : character;
  }).join("");
}

export function toUpper(text: string): string {
  return mapped(text, (character) => {
    const code = character.codePointAt(0) ?? 0;
    const greek = greekUpper(code);
    return greek === code ? character.toUpperCase() : String.fromCodePoint(greek);
  });
}

export function toLower(text: string): string {
  return mapped(text, (character) => (character === "\u0130" ? "i" : character.toLowerCase()));
}
