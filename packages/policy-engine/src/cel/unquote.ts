const SIMPLE: ReadonlyMap<string, string> = new Map([
  ["a", "\x07"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["v", "\v"],
]);

/** The string a literal token stands for. Throws an `Error` for an escape that is no code point. */
export function unquoteString(text: string): string {
  const { body, isRaw } = strip(text);
  if (isRaw || !body.includes("\\")) return body;
  let out = "";
  for (const piece of pieces(body)) {
    if (typeof piece === "string") {
      out += piece;
      continue;
    }
    if (piece.code > 0x10ffff || (piece.code >= 0xd800 && piece.code <= 0xdfff)) {
      throw new Error("invalid unicode code point");
    }
    out += String.fromCodePoint(piece.code);
  }
  return out;
}

/** The bytes a literal token (`b"…"`) stands for: text as UTF-8, octal and hex escapes as single bytes. */
export function unquoteBytes(text: string): Uint8Array {
  const { body, isRaw } = strip(text.slice(1));
  const encoder = new TextEncoder();
  if (isRaw || !body.includes("\\")) return encoder.encode(body);
  const out: number[] = [];
  for (const piece of pieces(body)) {
    if (typeof piece === "string") {
      for (const byte of encoder.encode(piece)) out.push(byte);
    } else {
      if (piece.isUnicode) throw new Error("unable to unescape string");
      out.push(piece.code);
    }
  }
  return Uint8Array.from(out);
}

function strip(text: string): { body: string; isRaw: boolean } {
  const isRaw = text.startsWith("r") || text.startsWith("R");
  const quoted = (isRaw ? text.slice(1) : text).replaceAll("\r\n", "\n").replaceAll("\r", "\n");
  const isLong = quoted.length >= 6 && (quoted.startsWith('"""') || quoted.startsWith("'''"));
  const width = isLong ? 3 : 1;
  return { body: quoted.slice(width, -width), isRaw };
}

interface Escape {
  readonly code: number;
  /** Written as \u or \U, which bytes do not know. */
  readonly isUnicode: boolean;
}

/** Runs of plain text and numeric escapes in turn. The lexer has seen to it that escapes are complete. */
function* pieces(body: string): Generator<string | Escape> {
  let at = 0;
  while (at < body.length) {
    const slash = body.indexOf("\\", at);
    if (slash === -1) {
      yield body.slice(at);
      return;
    }
    if (slash > at) yield body.slice(at, slash);
    const char = body.charAt(slash + 1);
    const digits = digitCount(char);
    if (digits === 0) {
      yield SIMPLE.get(char) ?? char;
      at = slash + 2;
    } else if (char >= "0" && char <= "3") {
      yield { code: Number.parseInt(body.slice(slash + 1, slash + 4), 8), isUnicode: false };
      at = slash + 4;
    } else {
      at = slash + 2 + digits;
      yield { code: Number.parseInt(body.slice(slash + 2, at), 16), isUnicode: digits > 2 };
    }
  }
}

function digitCount(char: string): number {
  switch (char) {
    case "x":
    case "X":
      return 2;
    case "u":
      return 4;
    case "U":
      return 8;
    default:
      return char >= "0" && char <= "3" ? 3 : 0;
  }
}
