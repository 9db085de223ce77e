import { codePointLength, codePoints, hasSurrogates } from "../code-points.ts";
import { CelError } from "../errors.ts";
import { indexIn, lastIndexIn, splitAt } from "../text-search.ts";
import { spend, textWork } from "../work.ts";

// What the string functions do, by code points. Errors are worded as in cel-go (ext/strings.go).

/** Longest string that a function makes, in UTF-16 units: costs go by the input, and replacing can multiply that. */
const MAX_LENGTH = 16_000_000;

/** A position that an expression gives: perhaps one that no string has. */
type Position = number | bigint;

const outOfRange = (at: Position): CelError => new CelError(`index out of range: ${at}`);

/** Where `part` first begins at or after `offset`; -1 for nowhere. */
export function indexOfText(whole: string, part: string, from: Position): number {
  if (from < 0) throw outOfRange(from);
  const offset = Number(from);
  if (!hasSurrogates(whole)) {
    if (part === "") return Math.min(offset, whole.length);
    return offset >= whole.length ? -1 : indexIn(whole, part, offset);
  }
  const length = codePointLength(whole);
  if (part === "") return Math.min(offset, length);
  if (offset >= length) return -1;
  const found = indexIn(whole, part, unitAt(whole, offset));
  return found === -1 ? -1 : codePointLength(whole.slice(0, found));
}

/** Where `part` last begins at or before `offset`; -1 for nowhere. */
export function lastIndexOfText(whole: string, part: string, offset: Position | undefined): number {
  if (offset !== undefined && offset < 0) throw outOfRange(offset);
  const length = codePointLength(whole);
  const from = Number(offset ?? length);
  if (part === "") return Math.min(from, length);
  if (offset !== undefined && offset >= length) return -1;
  const found = lastIndexIn(whole, part, unitAt(whole, from));
  return found === -1 ? -1 : codePointLength(whole.slice(0, found));
}

/** The UTF-16 position of a code point. */
function unitAt(whole: string, point: number): number {
  if (!hasSurrogates(whole)) return point;
  return codePoints(whole).slice(0, point).join("").length;
}

export function substring(whole: string, start: Position, end: Position | undefined): string {
  const isPlain = !hasSurrogates(whole);
  const points = isPlain ? whole : codePoints(whole);
  const last = end ?? points.length;
  if (end !== undefined && start > end) {
    throw new CelError(`invalid substring range. start: ${start}, end: ${end}`);
  }
  if (start < 0 || start > points.length) throw outOfRange(start);
  if (last < 0 || last > points.length) throw outOfRange(last);
  const part = points.slice(Number(start), Number(last));
  return typeof part === "string" ? part : part.join("");
}

/** Go's strings.Replace: the first `limit` occurrences, all for a negative limit; an empty `from` is between all code points. */
export function replaceText(whole: string, from: string, to: string, limit: number): string {
  if (limit === 0 || from === to) return whole;
  const parts = from === "" ? ["", ...codePoints(whole), ""] : splitAt(whole, from);
  const count = limit < 0 ? parts.length - 1 : Math.min(limit, parts.length - 1);
  if (whole.length + count * to.length > MAX_LENGTH) {
    throw new CelError(`replace: result of more than ${MAX_LENGTH} characters`);
  }
  spend(parts.length + textWork(whole.length + count * to.length));
  const head = parts.slice(0, count);
  return [...head, parts.slice(count).join(from)].join(to);
}

/** Go's strings.SplitN: at most `limit` parts, all for a negative limit; an empty separator splits into code points. */
export function splitText(whole: string, separator: string, limit: number): string[] {
  if (limit === 0) return [];
  const parts = separator === "" ? (whole === "" ? [] : [...codePoints(whole)]) : splitAt(whole, separator);
  spend(parts.length);
  if (limit < 0 || parts.length <= limit) return parts;
  return [...parts.slice(0, limit - 1), parts.slice(limit - 1).join(separator)];
}

/** Go's unicode.IsSpace, which has U+0085 and lacks U+FEFF, other than JavaScript's trim. */
const isSpace = (char: string): boolean => char === "\u0085" || (char !== "\ufeff" && char.trim() === "");

export function trimText(whole: string): string {
  let start = 0;
  let end = whole.length;
  while (start < end && isSpace(whole.charAt(start))) start++;
  while (end > start && isSpace(whole.charAt(end - 1))) end--;
  spend(whole.length - (end - start));
  return whole.slice(start, end);
}

const QUOTED: ReadonlyMap<string, string> = new Map([
  ["\x07", "\\a"],
  ["\b", "\\b"],
  ["\f", "\\f"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\v", "\\v"],
  ["\\", "\\\\"],
  ['"', '\\"'],
]);

/** What writing a character that may need an escape takes, in units of work.ts. */
const ESCAPE_WORK = 8;

/** Whether a text is printable ASCII, without quotes and backslashes; counts the work of writing it in quotes. */
function isPlain(whole: string): boolean {
  spend(textWork(whole.length));
  if (/^[ !#-[\]-~]*$/.test(whole)) return true;
  spend(whole.length * ESCAPE_WORK);
  return false;
}

/** `strings.quote`: printable again as a CEL literal. */
export function quoteText(whole: string): string {
  if (isPlain(whole)) return `"${whole}"`;
  const escaped = Array.from(whole.toWellFormed(), (char) => QUOTED.get(char) ?? char);
  return `"${escaped.join("")}"`;
}

/** Go's strconv.Quote: like `quoteText`, and what is not printable by its code. */
export function quoteGo(whole: string): string {
  if (isPlain(whole)) return `"${whole}"`;
  const escaped = Array.from(whole.toWellFormed(), (char) => {
    const known = QUOTED.get(char);
    if (known !== undefined) return known;
    if (/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(char)) return char;
    const code = char.codePointAt(0) ?? 0;
    if (code < 0x80) return `\\x${code.toString(16).padStart(2, "0")}`;
    return code > 0xffff
      ? `\\U${code.toString(16).padStart(8, "0")}`
      : `\\u${code.toString(16).padStart(4, "0")}`;
  });
  return `"${escaped.join("")}"`;
}
