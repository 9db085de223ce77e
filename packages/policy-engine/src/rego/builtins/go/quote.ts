/**
 * Go's strconv.Quote: the form in which Go prints a string inside an error message and by `%q`.
 * What is printable is Unicode's letters, marks, numbers, punctuation, symbols and the ASCII space
 * (strconv.IsPrint).
 */
import { countWork } from "../../work-meter.ts";
import { stretchEnd } from "./stretches.ts";

const SHORT: ReadonlyMap<number, string> = new Map([
  [0x07, "\\a"],
  [0x08, "\\b"],
  [0x0c, "\\f"],
  [0x0a, "\\n"],
  [0x0d, "\\r"],
  [0x09, "\\t"],
  [0x0b, "\\v"],
  [0x5c, "\\\\"],
]);

const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u;

/** Whether Go prints a code point as it is. */
export function isPrintable(code: number): boolean {
  if (code < 0x7f) {
    return code >= 0x20;
  }
  return PRINTABLE.test(String.fromCodePoint(code));
}

function hex(code: number, width: number): string {
  return code.toString(16).padStart(width, "0");
}

/** One rune as it stands between the quotes. */
export function quoteRune(code: number, quote: string, asciiOnly = false): string {
  if (String.fromCodePoint(code) === quote) {
    return `\\${quote}`;
  }
  const short = SHORT.get(code);
  if (short !== undefined) {
    return short;
  }
  if (code < 0x80 ? isPrintable(code) : !asciiOnly && isPrintable(code)) {
    return String.fromCodePoint(code);
  }
  if (code < 0x20 || code === 0x7f) {
    return `\\x${hex(code, 2)}`;
  }
  if (code >= 0xdc80 && code <= 0xdcff) {
    return `\\x${hex(code - 0xdc00, 2)}`;
  }
  if (code >= 0xd800 && code <= 0xdfff) {
    return asciiOnly ? "\\ufffd" : "\ufffd";
  }
  return code <= 0xffff ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
}

/** Printable ASCII but the quote and the backslash: what stands for itself. */
const PLAIN = /^[ !#-[\]-~]*$/;
/** UTF-16 units quoted at a time. */
const stretch = 1_024;

/** A string in double quotes. */
export function goQuote(text: string, asciiOnly = false): string {
  const parts = ['"'];
  // In stretches, so that the quoting of a long text is counted while it is done.
  for (let at = 0; at < text.length; ) {
    countWork(1 + (Math.min(stretch, text.length - at) >>> 2));
    const end = stretchEnd(text, at + stretch);
    const part = text.slice(at, end);
    if (PLAIN.test(part)) {
      parts.push(part);
    } else {
      for (const character of part) {
        parts.push(quoteRune(character.codePointAt(0) ?? 0, '"', asciiOnly));
      }
    }
    at = end;
  }
  parts.push('"');
  return parts.join("");
}
