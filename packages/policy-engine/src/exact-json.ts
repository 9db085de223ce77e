/**
 * JSON as an API server reads and writes it: a whole number that fits 64 bits stays what it is, where `JSON.parse` rounds
 * those of 2^53 and more (k8s.io/apimachinery/pkg/util/json). They are bigints here, which both engines take for ints.
 */
import { type LiteralRules, parseWithLiterals } from "./literal-json.ts";

/** As many digits as 2^53 has, where a number may begin; within a text they only cost a pass. */
const whole64: LiteralRules = { perhaps: /(?:^|[[:,])\s*-?\d{16}/, shortest: 16, read: exactly };
const wholeNumber = /^-?\d+$/;
/** A sign and the nineteen digits of an int64: nothing long is made a bigint first. */
const longest = 20;

/**
 * What `JSON.parse` makes of the text, save that a whole number beyond ±(2^53 − 1) is a bigint when it fits an int64; a
 * larger one is the nearest double, as in Go.
 * @throws SyntaxError
 */
export function parseExactJson(text: string): unknown {
  return parseWithLiterals(text, whole64);
}

function exactly(literal: string): bigint | undefined {
  if (literal.length > longest || !wholeNumber.test(literal)) return undefined;
  if (Number.isSafeInteger(Number(literal))) return undefined;
  const whole = BigInt(literal);
  return BigInt.asIntN(64, whole) === whole ? whole : undefined;
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
