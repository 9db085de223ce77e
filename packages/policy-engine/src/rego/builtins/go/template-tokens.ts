/** The inside of a template's action, `{{ … }}`, in tokens. */
import type { RegoValue } from "../../values.ts";
import { JsonSyntaxError, parseJson } from "./json-parse.ts";
import { parseDecimal } from "./number-text.ts";

export class TemplateError extends Error {
  constructor(message: string) {
    super(`template: ${message}`);
    this.name = "TemplateError";
  }
}

export type Token =
  | {
      readonly kind: "word" | "field" | "variable" | "symbol";
      readonly text: string;
      readonly spaced: boolean;
    }
  | { readonly kind: "literal"; readonly value: RegoValue; readonly spaced: boolean };

const SPACE = " \t\r\n";
export const isSpace = (character: string | undefined): boolean =>
  character !== undefined && SPACE.includes(character);

function isWord(character: string | undefined): boolean {
  return character !== undefined && /^[\p{L}\p{Nd}_]$/u.test(character);
}

/** Cuts the inside of an action into tokens. */
export function tokenize(source: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < source.length) {
    const spaced = isSpace(source[at - 1]) || at === 0;
    const character = source[at] ?? "";
    if (isSpace(character)) {
      at += 1;
      continue;
    }
    const [token, end] = tokenAt(source, at, character, spaced);
    tokens.push(token);
    at = end;
  }
  return tokens;
}

function wordEnd(source: string, from: number): number {
  let end = from;
  while (isWord(source[end])) {
    end += 1;
  }
  return end;
}

function tokenAt(source: string, at: number, first: string, spaced: boolean): readonly [Token, end: number] {
  if (first === '"' || first === "`" || first === "'") {
    return quotedAt(source, at, first, spaced);
  }
  if (first === "$" || first === ".") {
    const end = wordEnd(source, at + 1);
    if (first === "." && end === at + 1) {
      return [{ kind: "symbol", text: ".", spaced }, end];
    }
    const kind = first === "$" ? "variable" : "field";
    return [{ kind, text: source.slice(at + (kind === "field" ? 1 : 0), end), spaced }, end];
  }
  if (source.startsWith(":=", at)) {
    return [{ kind: "symbol", text: ":=", spaced }, at + 2];
  }
  if ("()|,=".includes(first)) {
    return [{ kind: "symbol", text: first, spaced }, at + 1];
  }
  return wordAt(source, at, spaced);
}

function wordAt(source: string, at: number, spaced: boolean): readonly [Token, end: number] {
  let end = at;
  while (end < source.length && (isWord(source[end]) || "+-.".includes(source.charAt(end)))) {
    end += 1;
  }
  const number = parseDecimal(source.slice(at, end));
  if (number !== undefined) {
    return [{ kind: "literal", value: number, spaced }, end];
  }
  end = wordEnd(source, at);
  if (end === at) {
    throw new TemplateError(`unexpected ${JSON.stringify(source[at])} in command`);
  }
  const text = source.slice(at, end);
  if (text === "true" || text === "false") {
    return [{ kind: "literal", value: text === "true", spaced }, end];
  }
  return [text === "nil" ? { kind: "literal", value: null, spaced } : { kind: "word", text, spaced }, end];
}

function quotedAt(source: string, at: number, quote: string, spaced: boolean): readonly [Token, end: number] {
  let end = at + 1;
  while (end < source.length && source[end] !== quote) {
    end += quote !== "`" && source[end] === "\\" ? 2 : 1;
  }
  if (end >= source.length) {
    throw new TemplateError("unterminated quoted string");
  }
  const inner = source.slice(at + 1, end);
  if (quote === "`") {
    return [{ kind: "literal", value: inner, spaced }, end + 1];
  }
  const value = unquoted(inner);
  const shown = quote === "'" ? (value.codePointAt(0) ?? 0) : value;
  return [{ kind: "literal", value: shown, spaced }, end + 1];
}

function unquoted(inner: string): string {
  try {
    const value = parseJson(`"${inner.replaceAll("\\'", "'")}"`);
    return typeof value === "string" ? value : "";
  } catch (error) {
    throw error instanceof JsonSyntaxError ? new TemplateError("bad string syntax") : error;
  }
}
