import { codePointLength, codePoints, hasSurrogates } from "../code-points.ts";
import { CelError } from "../errors.ts";
import { indexIn, lastIndexIn, splitAt, splitInWindows } from "../text-search.ts";
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
  if (from === "") return insertText(whole, to, limit);
  if (limit < 0 && whole.length > WINDOW) return replaceAllText(whole, from, to);
  const parts = splitAt(whole, from);
  const count = limit < 0 ? parts.length - 1 : Math.min(limit, parts.length - 1);
  refuseLong(whole.length + count * to.length);
  spend(parts.length + textWork(whole.length + count * to.length));
  const head = parts.slice(0, count);
  return [...head, parts.slice(count).join(from)].join(to);
}

/** Before each code point, the first `limit` of them or all, and at the end. */
function insertText(whole: string, to: string, limit: number): string {
  const points = codePointLength(whole);
  const count = limit < 0 ? points + 1 : Math.min(limit, points + 1);
  refuseLong(whole.length + count * to.length);
  const cut = count >= points ? whole.length : unitAt(whole, count);
  const made = inWindows(whole.slice(0, cut), (part) => {
    spend(part.length * 3 + textWork(part.length * to.length));
    return to + [...part].join(to);
  });
  return count > points ? made + to : made + whole.slice(cut);
}

/** A window at a time, so that the work is counted while it is done. */
function replaceAllText(whole: string, from: string, to: string): string {
  const made: string[] = [];
  let length = 0;
  for (const parts of splitInWindows(whole, from)) {
    const joined = parts.join(to);
    length += joined.length + to.length;
    refuseLong(length - to.length);
    spend(textWork(joined.length));
    made.push(joined);
  }
  return made.join(to);
}

function refuseLong(length: number): void {
  if (length > MAX_LENGTH) throw new CelError(`replace: result of more than ${MAX_LENGTH} characters`);
}

/** Characters changed at a time. */
const WINDOW = 65_536;

/** What `change` makes of the parts of a text, as one: for changes that do not look beyond a code point. */
export function inWindows(whole: string, change: (part: string) => string): string {
  if (whole.length <= WINDOW) return whole === "" ? "" : change(whole);
  const made: string[] = [];
  for (let at = 0; at < whole.length; ) {
    const end = at + WINDOW;
    const isSplit = (whole.codePointAt(end - 1) ?? 0) > 0xffff;
    const part = whole.slice(at, isSplit ? end + 1 : end);
    spend(textWork(part.length));
    made.push(change(part));
    at += part.length;
  }
  return made.join("");
}

/** Go's strings.SplitN: at most `limit` parts, all for a negative limit; an empty separator splits into code points. */
export function splitText(whole: string, separator: string, limit: number): string[] {
  if (limit === 0) return [];
  if (limit > 0 && limit <= FEW_PARTS && separator !== "") return splitFirst(whole, separator, limit);
  const parts = separator === "" ? (whole === "" ? [] : [...codePoints(whole)]) : splitAt(whole, separator);
  spend(parts.length);
  if (limit < 0 || parts.length <= limit) return parts;
  return [...parts.slice(0, limit - 1), parts.slice(limit - 1).join(separator)];
}

/** So few are looked for one by one. */
const FEW_PARTS = 16;

function splitFirst(whole: string, separator: string, limit: number): string[] {
  const parts: string[] = [];
  let from = 0;
  while (parts.length < limit - 1) {
    const at = indexIn(whole, separator, from);
    if (at === -1) break;
    parts.push(whole.slice(from, at));
    from = at + separator.length;
  }
  spend(parts.length + 1);
  return [...parts, whole.slice(from)];
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
