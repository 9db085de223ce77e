/** `io.jwt.*` (OPA's v1/topdown/tokens.go). */

import { timingSafeEqual } from "node:crypto";
import {
  type AnyObject,
  compareNumbers,
  entriesOf,
  getKey,
  isArray,
  isNumber,
  type RegoValue,
} from "../values.ts";
import { base64UrlBytes } from "./base64.ts";
import { type Builtin, type BuiltinContext, LimitError } from "./contract.ts";
import { bytesOf, textOf } from "./go/bytes.ts";
import { JsonSyntaxError, parseJson } from "./go/json-parse.ts";
import { jsonText } from "./go/json-text.ts";
import { builtin, failure, objectOperand, operand, textOperand } from "./operands.ts";
import {
  hmacOf,
  isSignedBy,
  parseJwks,
  signWith,
  type TokenKey,
  tokenAlgorithms,
  verificationKeys,
} from "./token-keys.ts";
import {
  decodeHeader,
  decodePart,
  headerFields,
  jsonObject,
  signedBytes,
  splitToken,
  type TokenParts,
} from "./token-parts.ts";

/** Tokens within tokens. */
const maxNesting = 16;

function tokenOperand(args: readonly RegoValue[], context: BuiltinContext): string {
  const token = textOperand(args, 1);
  context.spend(1 + Math.floor(token.length / 4));
  return token;
}

function trimQuotes(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && (text[start] === '"' || text[start] === "'")) {
    start += 1;
  }
  while (end > start && (text[end - 1] === '"' || text[end - 1] === "'")) {
    end -= 1;
  }
  return text.slice(start, end);
}

/** Header, payload, and signature in hex, of the innermost token; nothing is verified. */
function decode(token: string, depth = 0): RegoValue {
  if (depth >= maxNesting) {
    throw new LimitError(`tokens nested more than ${maxNesting} deep`);
  }
  const parts = splitToken(token);
  const header = decodeHeader(parts);
  const payload = textOf(decodePart(parts.payload, "payload"));
  const cty = getKey(header, "cty");
  if (cty !== undefined && typeof cty !== "string") {
    throw failure("cty: must be a string");
  }
  if (cty === "JWT") {
    return decode(trimQuotes(payload), depth + 1);
  }
  const claims = jsonObject(payload);
  const signature = decodePart(parts.signature, "signature");
  return [header, claims, Buffer.from(signature).toString("hex")];
}

/** With the key the token names, or else with any that is not for another algorithm. */
function isVerified(
  keys: readonly TokenKey[],
  named: { readonly kid: string; readonly alg: string },
  check: (key: TokenKey) => boolean,
): boolean {
  const byId = named.kid === "" ? undefined : keys.find(({ kid }) => kid === named.kid);
  if (byId !== undefined) {
    return check(byId);
  }
  return keys.some((key) => (key.alg === "" || key.alg === named.alg) && check(key));
}

function verifying(alg: string): Builtin {
  return builtin(`io.jwt.verify_${alg.toLowerCase()}`, 2, (args, context) => {
    const parts = splitToken(tokenOperand(args, context));
    const keys = verificationKeys(textOperand(args, 2), context);
    const signature = base64UrlBytes(parts.signature);
    const fields = headerFields(decodeHeader(parts));
    const data = signedBytes(parts);
    context.spend(1_000);
    // A private key is no key to verify with, and the algorithm is the function's, whatever the token says.
    return isVerified(
      keys,
      fields,
      ({ key, signer }) =>
        signer === undefined && !(key instanceof Uint8Array) && isSignedBy(key, alg, data, signature),
    );
  });
}

function verifyingHmac(size: string): Builtin {
  return builtin(`io.jwt.verify_hs${size}`, 2, (args, context) => {
    const token = tokenOperand(args, context);
    const secret = textOperand(args, 2);
    const parts = splitToken(token);
    const expected = hmacOf(secret, `sha${size}`, `${parts.header}.${parts.payload}`);
    const signature = base64UrlBytes(parts.signature);
    return signature.length === expected.length && timingSafeEqual(signature, expected);
  });
}

interface Constraints {
  keys: readonly TokenKey[] | undefined;
  secret: string;
  alg: string;
  iss: string;
  aud: string;
  /** Nanoseconds since 1970, as a float64 as in OPA. */
  timeNs: number;
}

function timeConstraint(value: RegoValue): number {
  if (!isNumber(value)) {
    throw failure("token time constraint: must be a number");
  }
  const time = Number(value);
  if (!Number.isFinite(time)) {
    throw failure("token time constraint: unvalid float64");
  }
  if (time < 0) {
    throw failure("token time constraint: must not be negative");
  }
  return time;
}

function textConstraint(name: string, value: RegoValue): string {
  if (typeof value !== "string") {
    throw failure(`${name} constraint: must be a string`);
  }
  return value;
}

function readConstraint(
  constraints: Constraints,
  name: RegoValue,
  value: RegoValue,
  context: BuiltinContext,
): void {
  switch (name) {
    case "cert":
      constraints.keys = verificationKeys(textConstraint(name, value), context);
      return;
    case "time":
      constraints.timeNs = timeConstraint(value);
      return;
    case "secret":
    case "alg":
    case "iss":
    case "aud":
      constraints[name] = textConstraint(name, value);
      return;
    default:
      throw failure(`unknown token validation constraint: ${String(name)}`);
  }
}

function readConstraints(given: AnyObject, context: BuiltinContext): Constraints {
  const constraints: Constraints = {
    keys: undefined,
    secret: "",
    alg: "",
    iss: "",
    aud: "",
    timeNs: Number(context.nowNs),
  };
  for (const [name, value] of entriesOf(given)) {
    readConstraint(constraints, name, value, context);
  }
  if (constraints.keys !== undefined && constraints.secret !== "") {
    throw failure("duplicate key constraints");
  }
  if (constraints.keys === undefined && constraints.secret === "") {
    throw failure("no key constraint");
  }
  return constraints;
}

function isSignatureGood(
  parts: TokenParts,
  fields: { readonly kid: string; readonly alg: string },
  constraints: Constraints,
): boolean {
  const signature = base64UrlBytes(parts.signature);
  const data = signedBytes(parts);
  if (constraints.keys === undefined) {
    return isSignedBy(bytesOf(constraints.secret), fields.alg, data, signature);
  }
  return isVerified(constraints.keys, fields, ({ key }) => isSignedBy(key, fields.alg, data, signature));
}

interface Decoded {
  readonly header: AnyObject;
  readonly claims: AnyObject;
}

/** The innermost token's parts when every layer verifies, else undefined. */
function unwrap(token: string, constraints: Constraints, context: BuiltinContext): Decoded | undefined {
  let current = token;
  for (let depth = 0; depth < maxNesting; depth += 1) {
    const parts = splitToken(current);
    const header = decodeHeader(parts);
    const fields = headerFields(header);
    if (!fields.isUsable || (constraints.alg !== "" && constraints.alg !== fields.alg)) {
      return undefined;
    }
    context.spend(1_000);
    if (!isSignatureGood(parts, fields, constraints)) {
      return undefined;
    }
    const payload = textOf(decodePart(parts.payload, "payload"));
    if (fields.cty.toUpperCase() !== "JWT") {
      return { header, claims: jsonObject(payload) };
    }
    current = payload;
  }
  throw new LimitError(`tokens nested more than ${maxNesting} deep`);
}

/** A token for an audience needs one of that name; one for none must not be asked for one (RFC 7519 4.1.3). */
function isAudienceGood(aud: RegoValue | undefined, wanted: string): boolean {
  if (aud === undefined) {
    return wanted === "";
  }
  if (isArray(aud)) {
    return aud.includes(wanted);
  }
  return aud === wanted;
}

function numericClaim(claims: AnyObject, name: string): number | bigint | undefined {
  const value = getKey(claims, name);
  if (value !== undefined && !isNumber(value)) {
    throw failure(`${name} value must be a number`);
  }
  return value;
}

function areClaimsGood(claims: AnyObject, constraints: Constraints): boolean {
  if (constraints.iss !== "" && getKey(claims, "iss") !== constraints.iss) {
    return false;
  }
  if (!isAudienceGood(getKey(claims, "aud"), constraints.aud)) {
    return false;
  }
  const seconds = constraints.timeNs / 1_000_000_000;
  const exp = numericClaim(claims, "exp");
  if (exp !== undefined && compareNumbers(seconds, exp) >= 0) {
    return false;
  }
  const nbf = numericClaim(claims, "nbf");
  return nbf === undefined || compareNumbers(seconds, nbf) >= 0;
}

function decodeVerify(args: readonly RegoValue[], context: BuiltinContext): RegoValue {
  const given = objectOperand(args, 2);
  const constraints = readConstraints(given, context);
  const decoded = unwrap(tokenOperand(args, context), constraints, context);
  const good = decoded !== undefined && areClaimsGood(decoded.claims, constraints);
  return good ? [true, decoded.header, decoded.claims] : [false, {}, {}];
}

function isJson(text: string): boolean {
  try {
    parseJson(text);
    return true;
  } catch (error) {
    if (error instanceof JsonSyntaxError) {
      return false;
    }
    throw error;
  }
}

/**
 * A header's text members. The messages are those of the library OPA signs with, whose parser takes any run of
 * number characters for a number.
 */
function headerMembers(text: string): RegoValue {
  const prefix = "missing or invalid 'alg' header: cannot parse JSON: ";
  if (text === "") {
    throw failure(`${prefix}cannot parse empty string`);
  }
  const numberLike = Array.from(text).every((character) => "0123456789+-.eE".includes(character));
  try {
    return numberLike ? null : parseJson(text);
  } catch (error) {
    throw error instanceof JsonSyntaxError ? failure(prefix + error.message, error) : error;
  }
}

function member(header: RegoValue, name: string): RegoValue | undefined {
  const isPlain = typeof header === "object" && header !== null && !isArray(header);
  return isPlain ? getKey(header as AnyObject, name) : undefined;
}

function encodeSign(header: string, payload: string, jwk: string, context: BuiltinContext): string {
  context.spend(2_000 + Math.floor((header.length + payload.length + jwk.length) / 4));
  const key = parseJwks(jwk)[0];
  if (key === undefined) {
    throw failure("no keys found in JWK set");
  }
  const members = headerMembers(header);
  const alg = member(members, "alg");
  if (typeof alg !== "string") {
    throw failure("missing or invalid 'alg' header: jwsbb: header \"alg\" not found");
  }
  if (!tokenAlgorithms.has(alg)) {
    throw failure(`unknown JWS algorithm: ${alg}`);
  }
  const typ = member(members, "typ");
  if ((typeof typ !== "string" || typ === "JWT") && !isJson(payload)) {
    throw failure("type is JWT but payload is not JSON");
  }
  const encoded = [header, payload].map((text) => Buffer.from(bytesOf(text)).toString("base64url")).join(".");
  const signature = signWith(key, alg, bytesOf(encoded));
  return `${encoded}.${Buffer.from(signature).toString("base64url")}`;
}

export const tokenBuiltins: readonly Builtin[] = [
  builtin("io.jwt.decode", 1, (args, context) => decode(tokenOperand(args, context))),
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"].map(
    verifying,
  ),
  ...["256", "384", "512"].map(verifyingHmac),
  builtin("io.jwt.decode_verify", 2, decodeVerify),
  builtin("io.jwt.encode_sign", 3, (args, context) => {
    const [header = "", payload = "", jwk = ""] = [1, 2, 3].map((position) =>
      jsonText(operand(args, position)),
    );
    return encodeSign(header, payload, jwk, context);
  }),
  builtin("io.jwt.encode_sign_raw", 3, (args, context) => {
    const jwk = textOperand(args, 3);
    const header = textOperand(args, 1);
    return encodeSign(header, textOperand(args, 2), jwk, context);
  }),
];
