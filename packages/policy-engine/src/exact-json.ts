/**
 * JSON as an API server reads and writes it: a whole number that fits 64 bits stays what it is, where `JSON.parse` rounds
 * those of 2^53 and more (k8s.io/apimachinery/pkg/util/json). They are bigints here, which both engines take for ints.
 */

/** As many digits as 2^53 has, where a number may begin; in a text they only cost time. */
const perhapsRounded = /(?:^|[[:,])\s*-?\d{16}/;
const wholeNumber = /^-?\d+$/;

/**
 * What `JSON.parse` makes of the text, save that a whole number beyond ±(2^53 − 1) is a bigint when it fits an int64; a
 * larger one is the nearest double, as in Go.
 * @throws SyntaxError
 */
export function parseExactJson(text: string): unknown {
  return perhapsRounded.test(text) ? JSON.parse(text, exactly) : JSON.parse(text);
}

function exactly(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const { source = "" } = context ?? {};
  if (!wholeNumber.test(source)) return value;
  const whole = BigInt(source);
  return BigInt.asIntN(64, whole) === whole ? whole : value;
}

/** JSON text of a value in which whole numbers may be bigints. */
export function exactJsonText(value: unknown): string {
  return JSON.stringify(value, asWritten);
}

function asWritten(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? rawJson(value.toString()) : value;
}

/** `JSON.rawJSON` (ECMAScript proposal "JSON.parse source text access"), which this TypeScript's library does not have. */
const { rawJSON: rawJson } = JSON as unknown as { readonly rawJSON: (text: string) => unknown };
