/**
 * The package a module says it belongs to, read without a parser of Rego: comments, the word `package`, and a
 * reference of names and quoted strings. What follows is the compiler's to read. Anything unusual is refused, as a
 * module read as another package than the compiler reads could leave the roots of its bundle.
 */
import { JsonSyntaxError, parseJson } from "../builtins/go/json-parse.ts";
import { BundleError } from "./errors.ts";

const spaces = " \t\r\n";

/** Segments without `data`. @throws BundleError */
export function packageOf(source: string, file: string): readonly string[] {
  const start = skipBlank(source, 0);
  const word = nameAt(source, start);
  const from = skipSpaces(source, start + word.length);
  if (word !== "package" || from === start + word.length)
    throw new BundleError("INVALID_FILE", "must begin with its package, after comments: package a.b", {
      file,
    });
  const segments = [nameAt(source, from)];
  if (segments[0] === "") throw unreadable(file);
  let at = from + (segments[0] ?? "").length;
  for (;;) {
    const step = segmentAt(source, at, file);
    if (step === undefined) break;
    segments.push(step.name);
    at = step.end;
  }
  const next = source[at];
  if (next !== undefined && !spaces.includes(next) && next !== "#" && next !== ";") throw unreadable(file);
  return segments;
}

function segmentAt(source: string, at: number, file: string): { name: string; end: number } | undefined {
  if (source[at] === ".") {
    const name = nameAt(source, at + 1);
    if (name === "") throw unreadable(file);
    return { name, end: at + 1 + name.length };
  }
  if (source[at] !== "[") return undefined;
  const isRaw = source[at + 1] === "`";
  const close = isRaw ? source.indexOf("`", at + 2) : closingQuote(source, at + 1);
  if (close < 0 || source[close + 1] !== "]") throw unreadable(file);
  const name = isRaw ? source.slice(at + 2, close) : quoted(source.slice(at + 1, close + 1), file);
  return { name, end: close + 2 };
}

/** Of a string that begins here, or -1. */
function closingQuote(source: string, at: number): number {
  if (source[at] !== '"') return -1;
  for (let next = at + 1; next < source.length; next += 1) {
    if (source[next] === '"') return next;
    if (source[next] === "\\") next += 1;
  }
  return -1;
}

function quoted(text: string, file: string): string {
  try {
    const value = parseJson(text);
    if (typeof value === "string") return value;
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
  }
  throw unreadable(file);
}

function isNameUnit(unit: number, isFirst: boolean): boolean {
  const isLetter = (unit >= 0x41 && unit <= 0x5a) || (unit >= 0x61 && unit <= 0x7a) || unit === 0x5f;
  return isLetter || (!isFirst && unit >= 0x30 && unit <= 0x39);
}

function nameAt(source: string, at: number): string {
  let end = at;
  while (isNameUnit(source.charCodeAt(end), end === at)) end += 1;
  return source.slice(at, end);
}

function skipSpaces(source: string, at: number): number {
  let next = at;
  while (next < source.length && spaces.includes(source.charAt(next))) next += 1;
  return next;
}

/** Past spaces and comments. */
function skipBlank(source: string, at: number): number {
  let next = skipSpaces(source, at);
  while (source[next] === "#") {
    const end = source.indexOf("\n", next);
    next = end < 0 ? source.length : skipSpaces(source, end);
  }
  return next;
}

function unreadable(file: string): BundleError {
  return new BundleError(
    "INVALID_FILE",
    'its package cannot be read; write it as package a.b or package a["b-c"]',
    {
      file,
    },
  );
}
