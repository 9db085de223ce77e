/**
 * Go's view of a string: bytes that are usually, but need not be, UTF-8.
 *
 * Rego strings are JS strings here, so a byte that is no part of valid UTF-8 (what `base64.decode` or
 * `hex.decode` of binary data yields) is kept as the lone surrogate U+DC80..U+DCFF, the convention of
 * PEP 383. It makes `crypto.sha256(base64.decode(x))` the hash of the decoded bytes, as in OPA.
 */

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const ESCAPE_LOW = 0xdc80;
const ESCAPE_HIGH = 0xdcff;

/** The bytes of a Rego string; a lone surrogate that stands for no byte is U+FFFD, as Go's JSON makes it. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  if (text.isWellFormed()) {
    return encoder.encode(text);
  }
  const parts: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code >= ESCAPE_LOW && code <= ESCAPE_HIGH) {
      parts.push(code - 0xdc00);
    } else {
      parts.push(...encoder.encode(character));
    }
  }
  return Uint8Array.from(parts);
}

/** The Rego string of some bytes; the inverse of {@link bytesOf}. */
export function textOf(bytes: Uint8Array): string {
  try {
    return strictDecoder.decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) {
      throw error;
    }
    return textOfInvalid(bytes);
  }
}

function textOfInvalid(bytes: Uint8Array): string {
  const parts: string[] = [];
  let start = 0;
  let at = 0;
  while (at < bytes.length) {
    const width = sequenceWidth(bytes, at);
    if (width > 0) {
      at += width;
      continue;
    }
    if (at > start) {
      parts.push(strictDecoder.decode(bytes.subarray(start, at)));
    }
    parts.push(String.fromCharCode(0xdc00 + (bytes[at] ?? 0)));
    at += 1;
    start = at;
  }
  parts.push(strictDecoder.decode(bytes.subarray(start)));
  return parts.join("");
}

/** The width of the UTF-8 sequence at an offset, 0 when none is valid there (RFC 3629 section 4). */
function sequenceWidth(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) {
    return 1;
  }
  const width = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + width > bytes.length) {
    return 0;
  }
  const second = bytes[at + 1] ?? 0;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) {
    return 0;
  }
  for (let index = 2; index < width; index += 1) {
    if (((bytes[at + index] ?? 0) & 0xc0) !== 0x80) {
      return 0;
    }
  }
  return width;
}

/** How many bytes a string has in Go. */
export function byteLength(text: string): number {
  return text.isWellFormed() ? Buffer.byteLength(text) : bytesOf(text).length;
}

/** Whether every UTF-16 unit is ASCII, so that offsets in units, runes and bytes agree. */
export function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) > 0x7f) {
      return false;
    }
  }
  return true;
}

/** How many runes a string has. */
export function runeCount(text: string): number {
  let pairs = 0;
  for (let index = 1; index < text.length; index += 1) {
    if ((text.charCodeAt(index) & 0xfc00) === 0xdc00 && (text.charCodeAt(index - 1) & 0xfc00) === 0xd800) {
      pairs += 1;
    }
  }
  return text.length - pairs;
}

/** The offset in units at which the rune of that number begins; the text's length where there are fewer. */
export function runeOffset(text: string, runes: number): number {
  let at = 0;
  for (let passed = 0; passed < runes && at < text.length; passed += 1) {
    at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  }
  return at;
}
