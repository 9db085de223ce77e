/** Reads the documents that are sent with a question. */
import { JsonSyntaxError, parseJson, type RegoJson, ValueDepthError } from "../rego/index.ts";

/** A document cannot be read; the message is Go's, which OPA's clients know. */
export class DocumentError extends Error {
  override readonly name = "DocumentError";
  readonly code = "MALFORMED_DOCUMENT";
}

/** Numbers that a double may not hold: many digits, or a large exponent. In a string it only costs time. */
const perhapsInexact = /\d{16}|\d[eE][-+]?\d{3}/;

/**
 * A JSON document with its integers exact.
 * @throws DocumentError
 */
export function parseDocument(text: string): RegoJson {
  try {
    if (!perhapsInexact.test(text)) return JSON.parse(text) as RegoJson;
  } catch {
    // Said again, in Go's words, by the reader below.
  }
  try {
    // The reader makes neither sets nor objects with keys other than text.
    return parseJson(text) as RegoJson;
  } catch (error) {
    if (!(error instanceof JsonSyntaxError || error instanceof ValueDepthError)) throw error;
    throw new DocumentError(error.message, { cause: error });
  }
}
