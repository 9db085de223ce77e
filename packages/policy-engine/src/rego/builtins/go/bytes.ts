/**
 * Go's view of a string: bytes that are usually, but need not be, UTF-8.
 *
 * Rego strings are JS strings here, so a byte that is no part of valid UTF-8 (what `base64.decode` or
 * `hex.decode` of binary data yields) is kept as the lone surrogate U+DC80..U+DCFF, the convention of
 * PEP 383. It makes `crypto.sha256(base64.decode(x))` the hash of the decoded bytes, as in OPA.
 */

import { countWork } from "../../work-meter.ts";
import { stretchesOf } from "./stretches.ts";

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const ESCAPE_LOW = 0xdc80;
const ESCAPE_HIGH = 0xdcff;

/** The bytes of a Rego string; a lone surrogate that stands for no byte is U+FFFD, as Go's JSON makes it. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  if (text.isWellFormed()) {
    return encoder.encode(text);
  }
  const bytes = new Uint8Array(3 * text.length);
  let length = 0;
  for (const part of stretchesOf(text)) {
    length = part.isWellFormed()
      ? length + encoder.encodeInto(part, bytes.subarray(length)).written
      : encodeIllFormed(part, bytes, length);
  }
  return bytes.slice(0, length);
}

/** Writes the bytes of a text from an offset on; returns where they end. */
function encodeIllFormed(text: string, bytes: Uint8Array, from: number): number {
  let at = from;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.codePointAt(index) ?? 0;
    if (code >= ESCAPE_LOW && code <= ESCAPE_HIGH) {
      bytes[at++] = code - 0xdc00;
    } else if (code < 0x80) {
      bytes[at++] = code;
    } else if (code < 0x800) {
      bytes[at++] = 0xc0 | (code >> 6);
      bytes[at++] = 0x80 | (code & 0x3f);
    } else if (code <= 0xffff) {
      const scalar = code >= 0xd800 && code <= 0xdfff ? 0xfffd : code;
      bytes[at++] = 0xe0 | (scalar >> 12);
      bytes[at++] = 0x80 | ((scalar >> 6) & 0x3f);
      bytes[at++] = 0x80 | (scalar & 0x3f);
    } else {
      bytes[at++] = 0xf0 | (code >> 18);
      bytes[at++] = 0x80 | ((code >> 12) & 0x3f);
      bytes[at++] = 0x80 | ((code >> 6) & 0x3f);
      bytes[at++] = 0x80 | (code & 0x3f);
      index += 1;
    }
  }
  return at;
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
  const units = new Uint16Array(bytes.length);
  let length = 0;
  let counted = 0;
  for (let at = 0; at < bytes.length; ) {
    if (at - counted >= bytesPerCount) {
      countWork(bytesPerCount >>> 3);
      counted = at;
    }
    const first = bytes[at] ?? 0;
    const width = sequenceWidth(bytes, at);
    const tail = (offset: number): number => (bytes[at + offset] ?? 0) & 0x3f;
    if (width === 0) {
      units[length++] = 0xdc00 + first;
    } else if (width === 1) {
      units[length++] = first;
    } else if (width === 2) {
      units[length++] = ((first & 0x1f) << 6) | tail(1);
    } else if (width === 3) {
      units[length++] = ((first & 0x0f) << 12) | (tail(1) << 6) | tail(2);
    } else {
      const beyond = (((first & 0x07) << 18) | (tail(1) << 12) | (tail(2) << 6) | tail(3)) - 0x10000;
      units[length++] = 0xd800 | (beyond >> 10);
      units[length++] = 0xdc00 | (beyond & 0x3ff);
    }
    at += Math.max(1, width);
  }
  return textOfUnits(units.subarray(0, length));
}

/** Bytes looked at between two counts. */
const bytesPerCount = 1_024;

/** Lone surrogates stay what they are. */
function textOfUnits({ buffer, byteOffset, byteLength }: Uint16Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("utf16le");
}

/** The same runes the other way round. */
export function reversedRunes(text: string): string {
  const units = new Uint16Array(text.length);
  Buffer.from(units.buffer).write(text, "utf16le");
  units.reverse();
  for (let at = 1; at < units.length; at += 1) {
    const [low = 0, high = 0] = [units[at - 1], units[at]];
    if ((low & 0xfc00) === 0xdc00 && (high & 0xfc00) === 0xd800) {
      units[at - 1] = high;
      units[at] = low;
      at += 1;
    }
  }
  return textOfUnits(units);
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
