/** A JSON Web Token taken apart (RFC 7519 section 7.2, RFC 7515 section 5.2). */
import { type AnyObject, entriesOf, getKey, isArray, isObject, type RegoValue } from "../values.ts";
import { base64UrlBytes } from "./base64.ts";
import { BuiltinError } from "./contract.ts";
import { bytesOf, textOf } from "./go/bytes.ts";
import { unmarshalJson } from "./json.ts";
import { failure } from "./operands.ts";

export interface TokenParts {
  readonly header: string;
  readonly payload: string;
  readonly signature: string;
}

/** @throws BuiltinError */
export function splitToken(token: string): TokenParts {
  if (!token.includes(".")) {
    throw failure("encoded JWT had no period separators");
  }
  const parts = token.split(".");
  const [header = "", payload = "", signature = ""] = parts;
  if (parts.length !== 3) {
    throw failure(`encoded JWT must have 3 sections, found ${parts.length}`);
  }
  return { header, payload, signature };
}

/** What the signature covers. */
export function signedBytes(parts: TokenParts): Uint8Array {
  return bytesOf(`${parts.header}.${parts.payload}`);
}

/** A failure with what it happened to before its message. */
function within<T>(prefix: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof BuiltinError ? failure(prefix + error.message, error) : error;
  }
}

export function decodePart(text: string, name: string): Uint8Array {
  return within(`JWT ${name} had invalid encoding: `, () => base64UrlBytes(text));
}

export function jsonObject(text: string): AnyObject {
  const value = within("invalid JSON: ", () => unmarshalJson(text));
  if (!isObject(value)) {
    throw failure("decoded JSON type was not an Object");
  }
  return value;
}

/** @throws BuiltinError, also for an encrypted token (RFC 7516 section 9). */
export function decodeHeader(parts: TokenParts): AnyObject {
  const text = textOf(decodePart(parts.header, "header"));
  const header = within("bad JWT header: ", () => jsonObject(text));
  if (getKey(header, "enc") !== undefined) {
    throw failure("JWT is a JWE object, which is not supported");
  }
  return header;
}

export interface HeaderFields {
  readonly alg: string;
  readonly kid: string;
  readonly cty: string;
  /** The header has an algorithm, and nothing it declares critical is unknown (RFC 7515 section 4.1.11). */
  readonly isUsable: boolean;
}

const TEXT_FIELDS = ["alg", "kid", "typ", "cty"] as const;
const KNOWN_FIELDS: ReadonlySet<string> = new Set([...TEXT_FIELDS, "crit"]);

function criticalNames(value: RegoValue | undefined): readonly string[] {
  if (value === undefined) {
    return [];
  }
  if (!isArray(value)) {
    throw failure("crit: must be a list");
  }
  const names = value.filter((name) => typeof name === "string");
  if (names.length === 0) {
    throw failure("crit: must be a nonempty list");
  }
  return names;
}

/** @throws BuiltinError when a field is of a wrong type. */
export function headerFields(header: AnyObject): HeaderFields {
  const texts = TEXT_FIELDS.map((name) => {
    const value = getKey(header, name) ?? "";
    if (typeof value !== "string") {
      throw failure(`${name}: must be a string`);
    }
    return value;
  });
  const [alg = "", kid = "", , cty = ""] = texts;
  const critical = new Set(criticalNames(getKey(header, "crit")));
  let isUsable = alg !== "";
  for (const [name] of entriesOf(header)) {
    if (typeof name === "string" && !KNOWN_FIELDS.has(name) && critical.has(name)) {
      isUsable = false;
    }
  }
  return { alg, kid, cty, isUsable };
}
