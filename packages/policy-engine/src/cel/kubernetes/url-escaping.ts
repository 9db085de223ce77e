import { quoteBytes } from "./go-strings.ts";
import { type Parsed, parsed, unparsed } from "./parsed.ts";

/**
 * Percent encoding as Go's `net/url` does it (RFC 3986 §2 with Go's choices of what each part of a URL leaves as it
 * is). All strings here are byte strings.
 */

/** The part of a URL: each has its own set of characters that stand for themselves. */
export type UrlPart = "path" | "host" | "zone" | "userinfo" | "query" | "fragment";

const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
const hostExtras = "!\"$&'()*+,:;<=>[]";

const literals: Readonly<Record<UrlPart, ReadonlySet<string>>> = {
  path: new Set(`${unreserved}$&+,/:;=@`),
  host: new Set(unreserved + hostExtras),
  zone: new Set(unreserved + hostExtras),
  userinfo: new Set(`${unreserved}$&+,;=`),
  query: new Set(unreserved),
  fragment: new Set(`${unreserved}$&+,/:;=?@!()*`),
};

function hexValue(digits: string): number | undefined {
  return /^[0-9a-fA-F]{2}$/.test(digits) ? Number.parseInt(digits, 16) : undefined;
}

/** Undoes percent encoding. The error names the bad escape or the character a host cannot have. */
export function unescapePart(text: string, part: UrlPart): Parsed<string> {
  const host = part === "host" || part === "zone";
  let decoded = "";
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === "%") {
      const byte = decodeEscape(text.slice(at, at + 3), part);
      if (byte === undefined) return unparsed(`invalid URL escape ${quoteBytes(text.slice(at, at + 3))}`);
      decoded += String.fromCharCode(byte);
      at += 2;
    } else if (host && character < "\x80" && !literals[part].has(character)) {
      return unparsed(`invalid character ${quoteBytes(character)} in host name`);
    } else {
      decoded += part === "query" && character === "+" ? " " : character;
    }
  }
  return parsed(decoded);
}

/** The byte of `%XX`; undefined when it is none, or one that may not be escaped in this part (RFC 6874 for zones). */
function decodeEscape(encoded: string, part: UrlPart): number | undefined {
  const byte = hexValue(encoded.slice(1));
  if (byte === undefined || encoded === "%25") return byte;
  if (part === "host" && byte < 0x80) return undefined;
  const character = String.fromCharCode(byte);
  if (part === "zone" && character !== " " && !literals.host.has(character)) return undefined;
  return byte;
}

export function escapePart(text: string, part: UrlPart): string {
  let escaped = "";
  for (const character of text) {
    if (literals[part].has(character)) escaped += character;
    else escaped += `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return escaped;
}

const extraLiterals = new Set("!$&'()*+,;=:@[]%");

/** Whether `text` could be an encoding of something, if not the one that `escapePart` would choose. */
export function isValidEncoding(text: string, part: UrlPart): boolean {
  for (const character of text) {
    if (!extraLiterals.has(character) && !literals[part].has(character)) return false;
  }
  return true;
}
