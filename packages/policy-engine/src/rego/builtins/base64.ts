/** `base64.*`, `base64url.*` and `hex.*` (OPA's v1/topdown/encoding.go). */
import type { Builtin } from "./contract.ts";
import { Base64Error, decodeBase64, decodeBase64Url } from "./go/base64.ts";
import { bytesOf, textOf } from "./go/bytes.ts";
import { quoteRune } from "./go/quote.ts";
import { refuseLongText } from "./limits.ts";
import { builtin, failure, operand, textOperand } from "./operands.ts";

/** @throws BuiltinError with Go's message */
export function base64Bytes(text: string): Uint8Array {
  try {
    return decodeBase64(bytesOf(text));
  } catch (error) {
    throw error instanceof Base64Error ? failure(error.message, error) : error;
  }
}

/** Padding may be missing altogether (RFC 7515 appendix C). @throws BuiltinError with Go's message */
export function base64UrlBytes(text: string): Uint8Array {
  const bytes = bytesOf(text);
  let padding = "";
  if (!text.endsWith("=")) {
    const rest = bytes.length % 4;
    if (rest === 1) {
      throw failure(`illegal base64url string: ${text}`);
    }
    padding = "=".repeat((4 - rest) % 4);
  }
  try {
    return decodeBase64Url(padding === "" ? bytes : Buffer.concat([bytes, Buffer.from(padding)]));
  } catch (error) {
    throw error instanceof Base64Error ? failure(error.message, error) : error;
  }
}

const isHexDigit = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);

export function hexBytes(text: string): Uint8Array {
  const bytes = bytesOf(text);
  for (const byte of bytes) {
    if (!isHexDigit(byte)) {
      const shown = quoteRune(byte, "'");
      throw failure(
        `encoding/hex: invalid byte: U+${byte.toString(16).toUpperCase().padStart(4, "0")} '${shown}'`,
      );
    }
  }
  if (bytes.length % 2 === 1) {
    throw failure("encoding/hex: odd length hex string");
  }
  return Buffer.from(text, "hex");
}

function converting(name: string, convert: (text: string) => string): Builtin {
  return builtin(name, 1, (args, context) => {
    const text = textOperand(args, 1);
    refuseLongText(text.length);
    context.spend(1 + Math.floor(text.length / 4));
    return convert(text);
  });
}

function padded(text: string): string {
  return text + "=".repeat((4 - (text.length % 4)) % 4);
}

const urlEncoded = (text: string) => Buffer.from(bytesOf(text)).toString("base64url");

function isBase64(text: string): boolean {
  try {
    decodeBase64(bytesOf(text));
    return true;
  } catch (error) {
    if (error instanceof Base64Error) {
      return false;
    }
    throw error;
  }
}

export const base64Builtins: readonly Builtin[] = [
  converting("base64.encode", (text) => Buffer.from(bytesOf(text)).toString("base64")),
  converting("base64.decode", (text) => textOf(base64Bytes(text))),
  builtin("base64.is_valid", 1, (args, context) => {
    const value = operand(args, 1);
    if (typeof value !== "string") {
      return false;
    }
    context.spend(1 + Math.floor(value.length / 4));
    return isBase64(value);
  }),
  converting("base64url.encode", (text) => padded(urlEncoded(text))),
  converting("base64url.encode_no_pad", urlEncoded),
  converting("base64url.decode", (text) => textOf(base64UrlBytes(text))),
  converting("hex.encode", (text) => Buffer.from(bytesOf(text)).toString("hex")),
  converting("hex.decode", (text) => textOf(hexBytes(text))),
];
