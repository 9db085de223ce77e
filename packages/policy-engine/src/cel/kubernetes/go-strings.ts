/**
 * Go's view of text: a string is its UTF-8 bytes, slicing cuts between bytes, and `%q` prints what is left of
 * a character cut in half as `\xNN`. The parsers here work on "byte strings" (one JS character a byte), so that
 * offsets, lengths and error texts agree with the API server's.
 */
import { MAX_SHOWN } from "../shortened.ts";

const nonAscii = /[^\0-\x7f]/;

/** The UTF-8 bytes of `text`, one character a byte. Lone surrogates become U+FFFD, as JSON decoding in Go does. */
export function toByteString(text: string): string {
  return nonAscii.test(text) ? Buffer.from(text, "utf8").toString("latin1") : text;
}

/** The text of a byte string; each byte that is not part of valid UTF-8 becomes U+FFFD. */
export function fromByteString(bytes: string): string {
  if (!nonAscii.test(bytes)) return bytes;
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const { rune, width } = runeAt(bytes, at);
    text += String.fromCodePoint(rune);
    at += width;
  }
  return text;
}

/** Length of `text` in UTF-8 bytes: what `len(s)` is in Go, and what the server's limits count. */
export function byteLength(text: string): number {
  return nonAscii.test(text) ? Buffer.byteLength(text, "utf8") : text.length;
}

interface Rune {
  readonly rune: number;
  /** Bytes taken. */
  readonly width: number;
  /** The byte does not start a valid sequence; `rune` is U+FFFD. */
  readonly invalid: boolean;
}

const invalidRune: Rune = { rune: 0xfffd, width: 1, invalid: true };

/** Sequence length and smallest code point by the lead byte (RFC 3629 §3). */
function sequenceShape(lead: number): { length: number; bits: number; least: number } | undefined {
  if (lead >= 0xc2 && lead <= 0xdf) return { length: 2, bits: lead & 0x1f, least: 0x80 };
  if (lead >= 0xe0 && lead <= 0xef) return { length: 3, bits: lead & 0x0f, least: 0x800 };
  if (lead >= 0xf0 && lead <= 0xf4) return { length: 4, bits: lead & 0x07, least: 0x10000 };
  return undefined;
}

function runeAt(bytes: string, at: number): Rune {
  const lead = bytes.charCodeAt(at);
  if (lead < 0x80) return { rune: lead, width: 1, invalid: false };
  const shape = sequenceShape(lead);
  if (shape === undefined || at + shape.length > bytes.length) return invalidRune;
  let rune = shape.bits;
  for (let offset = 1; offset < shape.length; offset++) {
    const next = bytes.charCodeAt(at + offset);
    if ((next & 0xc0) !== 0x80) return invalidRune;
    rune = (rune << 6) | (next & 0x3f);
  }
  const surrogate = rune >= 0xd800 && rune <= 0xdfff;
  if (rune < shape.least || rune > 0x10ffff || surrogate) return invalidRune;
  return { rune, width: shape.length, invalid: false };
}

const namedEscapes = new Map([
  [0x07, "\\a"],
  [0x08, "\\b"],
  [0x0c, "\\f"],
  [0x0a, "\\n"],
  [0x0d, "\\r"],
  [0x09, "\\t"],
  [0x0b, "\\v"],
  [0x22, '\\"'],
  [0x5c, "\\\\"],
]);

// Go's unicode.IsPrint: letters, marks, numbers, punctuation, symbols and the ASCII space.
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

function quotedRune(rune: number): string {
  const named = namedEscapes.get(rune);
  if (named !== undefined) return named;
  const character = String.fromCodePoint(rune);
  if (printable.test(character)) return character;
  if (rune < 0x20 || rune === 0x7f) return `\\x${hex(rune, 2)}`;
  return rune < 0x10000 ? `\\u${hex(rune, 4)}` : `\\U${hex(rune, 8)}`;
}

/** A byte string in double quotes as Go's `strconv.Quote` (and `%q`) writes it; cut to what an error shows. */
export function quoteBytes(bytes: string, longest = MAX_SHOWN): string {
  const end = Math.min(bytes.length, longest);
  let quoted = '"';
  for (let at = 0; at < end; ) {
    const { rune, width, invalid } = runeAt(bytes, at);
    quoted += invalid ? `\\x${hex(bytes.charCodeAt(at), 2)}` : quotedRune(rune);
    at += width;
  }
  return end < bytes.length ? `${quoted}..."` : `${quoted}"`;
}

/** `text` as Go's `%q` prints it, all of it: for texts that are compared. */
export function quoteWhole(text: string): string {
  return quoteBytes(toByteString(text), Number.POSITIVE_INFINITY);
}

/** `text` as Go's `%q` prints it; cut to what an error shows. */
export function quote(text: string): string {
  return quoteBytes(toByteString(text));
}
