/**
 * The hash of a file as signatures of bundles have it (OPA's documentation, "Signature Format"; v1/bundle/hash.go).
 * Of JSON and YAML documents it is that of a canonical text: keys sorted, no spaces, numbers as they are written. Every
 * other file counts byte by byte.
 */
import { createHash, type Hash } from "node:crypto";
import { JsonSyntaxError, parseJson } from "../builtins/go/json-parse.ts";
import { numberText } from "../builtins/go/number-text.ts";
import { compareStrings, entriesOf, isArray, isObject, type RegoValue } from "../values.ts";
import { baseOf, isDataFile, isYamlData, readYaml } from "./data-files.ts";
import { jsonFailure } from "./json-file.ts";
import { manifestFile } from "./manifest.ts";
import { decodeText } from "./text.ts";

/** node:crypto's names by OPA's. OPA also knows MD5 and SHA-1, for which other files with the same hash can be made. */
export const hashNames: ReadonlyMap<string, string> = new Map([
  ["SHA-224", "sha224"],
  ["SHA-256", "sha256"],
  ["SHA-384", "sha384"],
  ["SHA-512", "sha512"],
  ["SHA-512-224", "sha512-224"],
  ["SHA-512-256", "sha512-256"],
]);

/** @param algorithm node:crypto's name. @throws BundleError where a document cannot be read. */
export function fileHash(path: string, bytes: Uint8Array, algorithm: string): Uint8Array {
  const hash = createHash(algorithm);
  const base = baseOf(path);
  if (!isDataFile(base) && base !== manifestFile) return hash.update(bytes).digest();
  const { value, numberOf } = readDocument(path, base, bytes);
  writeCanonical(value, numberOf, hash);
  return hash.digest();
}

interface Document {
  readonly value: RegoValue;
  /** The text of a number of the document. */
  readonly numberOf: (value: number | bigint) => string;
}

function readDocument(path: string, base: string, bytes: Uint8Array): Document {
  const literals: string[] = [];
  try {
    // In place of its numbers the document gets their positions in a list of what was written.
    const value = parseJson(decodeText(bytes, path), (literal) => literals.push(literal) - 1);
    return { value, numberOf: (at) => literals[Number(at)] ?? "" };
  } catch (error) {
    if (error instanceof JsonSyntaxError && isYamlData(base))
      return { value: readYaml(bytes, path), numberOf: numberText };
    throw jsonFailure(error, path);
  }
}

/** As deep as a document may be nested, which those who read it have checked. */
function writeCanonical(value: RegoValue, numberOf: Document["numberOf"], hash: Hash): void {
  if (typeof value === "number" || typeof value === "bigint") hash.update(numberOf(value));
  else if (typeof value === "string") hash.update(textOf(value));
  else if (value === null || typeof value === "boolean") hash.update(String(value));
  else if (isArray(value)) {
    hash.update("[");
    for (const [at, item] of value.entries()) {
      if (at > 0) hash.update(",");
      writeCanonical(item, numberOf, hash);
    }
    hash.update("]");
  } else if (isObject(value)) {
    hash.update("{");
    const entries = Array.from(entriesOf(value), ([key, item]) => [String(key), item] as const);
    for (const [at, [key, item]] of entries.sort(([a], [b]) => compareStrings(a, b)).entries()) {
      hash.update(`${at > 0 ? "," : ""}${textOf(key)}:`);
      writeCanonical(item, numberOf, hash);
    }
    hash.update("}");
  }
}

/** Go's JSON of a text without its escapes for HTML; those for JavaScript's line ends remain. */
function textOf(text: string): string {
  return JSON.stringify(text).replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
}
