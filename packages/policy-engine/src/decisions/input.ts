/** Reads the documents that are sent with a question. */
import { parseWithLiterals } from "../literal-json.ts";
import {
  EvaluationError,
  JsonSyntaxError,
  metered,
  parseDecimal,
  parseJson,
  type RegoJson,
  ValueDepthError,
} from "../rego/index.ts";

/** A document cannot be read; the message is Go's, which OPA's clients know. */
export class DocumentError extends Error {
  override readonly name = "DocumentError";
  readonly code = "MALFORMED_DOCUMENT";
}

/** Units of work that the numbers of a document may take: some 30 ms. */
const mostWork = 250_000;
/** Characters up to which a text that is no JSON is read again to say in Go's words why. */
const retoldUpTo = 64 * 1024;

/**
 * A document with its integers exact.
 * @throws DocumentError
 */
export function parseDocument(text: string): RegoJson {
  let spent = 0;
  const spend = (units: number): void => {
    spent += units;
    if (spent > mostWork) throw new DocumentError("too many numbers of too many digits");
  };
  try {
    return metered(spend, () => parseWithLiterals(text, exactNumbers) as RegoJson);
  } catch (error) {
    if (error instanceof SyntaxError) throw malformed(text, error);
    if (error instanceof EvaluationError) throw new DocumentError(error.message, { cause: error });
    throw error;
  }
}

/** Numbers that a double may not hold: many digits, or a large exponent. Within a text they only cost a pass. */
const exactNumbers = {
  perhaps: /(?:^|[[:,])\s*-?(?:\d[\d.]{15}|\d[\d.]*[eE][-+]?\d{2})/,
  shortest: 4,
  read(literal: string): bigint | undefined {
    if (literal.length < 16 && !/[eE]/.test(literal)) return undefined;
    const exact = parseDecimal(literal);
    if (exact === undefined) throw new DocumentError("invalid number: number too big");
    return typeof exact === "bigint" ? exact : undefined;
  },
};

function malformed(text: string, cause: SyntaxError): DocumentError {
  if (text.length > retoldUpTo) return new DocumentError(`invalid JSON: ${cause.message}`, { cause });
  try {
    parseJson(text);
  } catch (error) {
    if (error instanceof JsonSyntaxError || error instanceof ValueDepthError)
      return new DocumentError(error.message, { cause: error });
    throw error;
  }
  return new DocumentError("invalid JSON", { cause });
}
