export type TokenKind =
  | "bytes"
  | "end"
  | "escaped"
  | "faulty"
  | "float"
  | "ident"
  | "int"
  | "string"
  | "symbol"
  | "uint";

/**
 * `text` is the token as written (quotes included); keywords and operators are `symbol`s, and characters that make no
 * token are `faulty`.
 */
export interface Token {
  readonly kind: TokenKind;
  readonly at: number;
  readonly text: string;
}

const KEYWORDS: ReadonlySet<string> = new Set(["in", "true", "false", "null"]);
const TWO_CHAR_SYMBOLS: ReadonlySet<string> = new Set(["==", "!=", "<=", ">=", "&&", "||"]);
const ONE_CHAR_SYMBOLS = "<>[]{}().,-!?:+*/%";
const SIMPLE_ESCAPES = "abfnrtv\"'\\?`";

/** The tokens of an expression, closed by one of kind `end`, or by the first that is `faulty`. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let at = skipBlank(source, 0);
  while (at < source.length) {
    const token = readToken(source, at);
    tokens.push(token);
    if (token.kind === "faulty") return tokens;
    at = skipBlank(source, at + token.text.length);
  }
  tokens.push({ kind: "end", at: source.length, text: "<EOF>" });
  return tokens;
}

function skipBlank(source: string, from: number): number {
  let at = from;
  for (;;) {
    const char = source[at];
    if (char === " " || char === "\t" || char === "\r" || char === "\n" || char === "\f") {
      at++;
    } else if (char === "/" && source[at + 1] === "/") {
      const end = source.indexOf("\n", at);
      at = end === -1 ? source.length : end;
    } else {
      return at;
    }
  }
}

function readToken(source: string, at: number): Token {
  const char = source.charAt(at);
  if (isDigit(char) || (char === "." && isDigit(source.charAt(at + 1)))) return readNumber(source, at);
  const quoteAt = at + stringPrefixLength(source, at);
  const quote = source[quoteAt];
  if (quote === '"' || quote === "'") return readString(source, at, quoteAt, quote);
  if (isIdentStart(char)) {
    const end = scan(source, at, isIdentPart);
    const text = source.slice(at, end);
    return { kind: KEYWORDS.has(text) ? "symbol" : "ident", at, text };
  }
  if (char === "`") return readEscapedIdent(source, at);
  const two = source.slice(at, at + 2);
  if (TWO_CHAR_SYMBOLS.has(two)) return { kind: "symbol", at, text: two };
  if (ONE_CHAR_SYMBOLS.includes(char)) return { kind: "symbol", at, text: char };
  // Half an operator is told with what stands in the place of its other half.
  return faulty(source, at, "&|=".includes(char) ? at + 2 : at + 1);
}

/** Length of `r`, `b` or `br` (in any case) before a quote; 0 when it is no prefix. */
function stringPrefixLength(source: string, at: number): number {
  const b = isOneOf(source.charAt(at), "bB") ? 1 : 0;
  return b + (isOneOf(source.charAt(at + b), "rR") ? 1 : 0);
}

function readNumber(source: string, at: number): Token {
  if (source.startsWith("0x", at) && isHexDigit(source.charAt(at + 2))) {
    return integer(source, at, scan(source, at + 2, isHexDigit));
  }
  let end = scan(source, at, isDigit);
  let isFloat = false;
  if (source[end] === "." && isDigit(source.charAt(end + 1))) {
    isFloat = true;
    end = scan(source, end + 1, isDigit);
  }
  if (isOneOf(source.charAt(end), "eE")) {
    const digits = end + (isOneOf(source.charAt(end + 1), "+-") ? 2 : 1);
    if (isDigit(source.charAt(digits))) {
      isFloat = true;
      end = scan(source, digits, isDigit);
    }
  }
  return isFloat ? { kind: "float", at, text: source.slice(at, end) } : integer(source, at, end);
}

function integer(source: string, at: number, end: number): Token {
  return isOneOf(source.charAt(end), "uU")
    ? { kind: "uint", at, text: source.slice(at, end + 1) }
    : { kind: "int", at, text: source.slice(at, end) };
}

function readString(source: string, at: number, quoteAt: number, quote: string): Token {
  const prefix = source.slice(at, quoteAt).toLowerCase();
  const isRaw = prefix.endsWith("r");
  const isLong = source.startsWith(quote.repeat(3), quoteAt);
  const close = isLong ? quote.repeat(3) : quote;
  let end = quoteAt + close.length;
  while (!source.startsWith(close, end)) {
    const char = source[end];
    if (char === undefined || (!isLong && (char === "\n" || char === "\r"))) return faulty(source, at, end);
    const length = char === "\\" && !isRaw ? escapeLength(source, end) : 1;
    if (length === 0) return faulty(source, at, end + 2);
    end += length;
  }
  const kind = prefix.startsWith("b") ? "bytes" : "string";
  return { kind, at, text: source.slice(at, end + close.length) };
}

/** Length of the escape sequence that a backslash at `at` begins; 0 when there is no such sequence. */
function escapeLength(source: string, at: number): number {
  const char = source.charAt(at + 1);
  if (char !== "" && SIMPLE_ESCAPES.includes(char)) return 2;
  const digits = (from: number, count: number, accepts: (char: string) => boolean): number => {
    for (let i = 0; i < count; i++) if (!accepts(source.charAt(from + i))) return 0;
    return from + count - at;
  };
  switch (char) {
    case "x":
    case "X":
      return digits(at + 2, 2, isHexDigit);
    case "u":
      return digits(at + 2, 4, isHexDigit);
    case "U":
      return digits(at + 2, 8, isHexDigit);
    case "0":
    case "1":
    case "2":
    case "3":
      return digits(at + 2, 2, (digit) => digit >= "0" && digit <= "7");
    default:
      return 0;
  }
}

function readEscapedIdent(source: string, at: number): Token {
  const end = scan(source, at + 1, (char) => isIdentPart(char) || isOneOf(char, ".-/ "));
  if (source[end] !== "`" || end === at + 1) return faulty(source, at, end + 1);
  return { kind: "escaped", at, text: source.slice(at, end + 1) };
}

function faulty(source: string, at: number, end: number): Token {
  return { kind: "faulty", at, text: source.slice(at, end) };
}

/** What is said of a token that is `faulty`. */
export function unrecognized(token: Token): string {
  return `Syntax error: token recognition error at: '${token.text.toWellFormed()}'`;
}

function scan(source: string, from: number, accepts: (char: string) => boolean): number {
  let at = from;
  while (at < source.length && accepts(source.charAt(at))) at++;
  return at;
}

const isOneOf = (char: string, chars: string): boolean => char !== "" && chars.includes(char);
const isDigit = (char: string): boolean => char >= "0" && char <= "9";
const isHexDigit = (char: string): boolean =>
  isDigit(char) || (char >= "a" && char <= "f") || (char >= "A" && char <= "F");
const isIdentStart = (char: string): boolean =>
  (char >= "a" && char <= "z") || (char >= "A" && char <= "Z") || char === "_";
const isIdentPart = (char: string): boolean => isIdentStart(char) || isDigit(char);
