/** PEM blocks as Go's encoding/pem finds them (RFC 1421's frame; headers are skipped). */
import { Base64Error, decodeBase64 } from "./base64.ts";
import { bytesOf } from "./bytes.ts";

export interface PemBlock {
  readonly type: string;
  readonly bytes: Uint8Array;
  /** The text behind the block. */
  readonly rest: string;
}

const BEGIN = "-----BEGIN ";
const END = "-----END ";
const DASHES = "-----";

interface Line {
  readonly text: string;
  readonly next: number;
}

/** A line without its end and the spaces before that. */
function lineAt(text: string, at: number): Line {
  const newline = text.indexOf("\n", at);
  const end = newline < 0 ? text.length : newline;
  return { text: text.slice(at, end).trimEnd(), next: newline < 0 ? text.length : newline + 1 };
}

/** Where a line begins with `-----BEGIN `, at or after an offset. */
function beginAfter(text: string, from: number): number {
  if (text.startsWith(BEGIN, from) && (from === 0 || text[from - 1] === "\n")) {
    return from;
  }
  const found = text.indexOf(`\n${BEGIN}`, from);
  return found < 0 ? -1 : found + 1;
}

function blockAt(text: string, begin: number): PemBlock | undefined {
  const first = lineAt(text, begin);
  if (!first.text.endsWith(DASHES)) {
    return undefined;
  }
  const type = first.text.slice(BEGIN.length, -DASHES.length);
  const body: string[] = [];
  let at = first.next;
  while (at < text.length) {
    const line = lineAt(text, at);
    at = line.next;
    if (line.text.startsWith(END)) {
      return line.text === `${END}${type}${DASHES}` ? decoded(type, body, text.slice(at)) : undefined;
    }
    if (!line.text.includes(":")) {
      body.push(line.text);
    }
  }
  return undefined;
}

function decoded(type: string, body: readonly string[], rest: string): PemBlock | undefined {
  const text = body.join("").replaceAll(" ", "").replaceAll("\t", "");
  try {
    return { type, bytes: decodeBase64(bytesOf(text)), rest };
  } catch (error) {
    if (error instanceof Base64Error) {
      return undefined;
    }
    throw error;
  }
}

/** The first block of a text; undefined when there is none that is well-formed. */
export function decodePem(text: string): PemBlock | undefined {
  for (let begin = beginAfter(text, 0); begin >= 0; begin = beginAfter(text, begin + 1)) {
    const block = blockAt(text, begin);
    if (block !== undefined) {
      return block;
    }
  }
  return undefined;
}
