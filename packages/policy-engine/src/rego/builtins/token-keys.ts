/**
 * Keys of JSON Web Tokens (RFC 7517, RFC 7518) and the signatures they make and check. What a key is decides which
 * algorithms it may be used with, so that no public key can ever serve as an HMAC secret.
 */
import {
  constants,
  createHmac,
  createPrivateKey,
  createPublicKey,
  type JsonWebKey,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
  X509Certificate,
} from "node:crypto";
import { flatCopy } from "../../flat-copy.ts";
import { type AnyObject, getKey, isArray, isObject, type RegoValue, ValueDepthError } from "../values.ts";
import { type BuiltinContext, BuiltinError, LimitError } from "./contract.ts";
import { bytesOf } from "./go/bytes.ts";
import { JsonSyntaxError, parseJson } from "./go/json-parse.ts";
import { decodePem } from "./go/pem.ts";
import { failure } from "./operands.ts";

export interface TokenKey {
  /** Empty when the key names none. */
  readonly alg: string;
  readonly kid: string;
  /** The bytes of a symmetric key, or a public key. */
  readonly key: Uint8Array | KeyObject;
  /** What signs, when the key is private. */
  readonly signer: KeyObject | undefined;
}

type Family = "hmac" | "rsa" | "rsa-pss" | "ec" | "ed25519";

interface Algorithm {
  readonly family: Family;
  /** Digest by node:crypto's name; none for EdDSA. */
  readonly digest: string | undefined;
}

export const tokenAlgorithms: ReadonlyMap<string, Algorithm> = new Map<string, Algorithm>([
  ...(["256", "384", "512"] as const).flatMap((size): [string, Algorithm][] => [
    [`HS${size}`, { family: "hmac", digest: `sha${size}` }],
    [`RS${size}`, { family: "rsa", digest: `sha${size}` }],
    [`PS${size}`, { family: "rsa-pss", digest: `sha${size}` }],
    [`ES${size}`, { family: "ec", digest: `sha${size}` }],
  ]),
  ["EdDSA", { family: "ed25519", digest: undefined }],
]);

/** Keys of one set. */
const maxKeys = 100;

function textMember(object: AnyObject, name: string): string {
  const value = getKey(object, name);
  return typeof value === "string" ? value : "";
}

/** The text members alone: all that node:crypto reads. */
function jsonWebKey(object: AnyObject): JsonWebKey {
  const names = ["kty", "crv", "n", "e", "d", "p", "q", "dp", "dq", "qi", "x", "y", "k"];
  const members = names.map((name) => [name, textMember(object, name)] as const);
  return Object.fromEntries(members.filter(([, value]) => value !== ""));
}

function keyOfJwk(object: AnyObject): TokenKey {
  const alg = textMember(object, "alg");
  const kid = textMember(object, "kid");
  const jwk = jsonWebKey(object);
  if (jwk.kty === "oct") {
    if (jwk.k === undefined) {
      throw failure('required field "k" is missing');
    }
    return { alg, kid, key: Buffer.from(jwk.k, "base64url"), signer: undefined };
  }
  const publicKey = createPublicKey({ key: jwk, format: "jwk" });
  const signer = jwk.d === undefined ? undefined : createPrivateKey({ key: jwk, format: "jwk" });
  return { alg, kid, key: publicKey, signer };
}

/** A key or a set of keys. @throws BuiltinError */
export function parseJwks(text: string): readonly TokenKey[] {
  try {
    const value = parseJson(text);
    const set = isObject(value) ? getKey(value, "keys") : undefined;
    const keys: readonly RegoValue[] = set !== undefined && isArray(set) ? set : [value];
    if (keys.length > maxKeys) {
      throw new LimitError(`more than ${maxKeys} keys`);
    }
    return keys.map((key) => {
      if (!isObject(key)) {
        throw failure("a key is no object");
      }
      return keyOfJwk(key);
    });
  } catch (error) {
    if (error instanceof BuiltinError || error instanceof LimitError || error instanceof ValueDepthError) {
      throw error;
    }
    throw failure(error instanceof JsonSyntaxError ? error.message : "malformed key", error);
  }
}

/** Of a certificate or public key; undefined for a text that is not PEM. @throws BuiltinError */
export function pemKeys(text: string): readonly TokenKey[] | undefined {
  const block = decodePem(text);
  if (block === undefined) {
    return undefined;
  }
  if (block.rest.length > 0) {
    throw failure("extra data after a PEM certificate block");
  }
  const named = { alg: "", kid: "", signer: undefined };
  const bytes = Buffer.from(block.bytes);
  if (block.type === "CERTIFICATE") {
    try {
      return [{ ...named, key: new X509Certificate(bytes).publicKey }];
    } catch (error) {
      throw failure("failed to parse a PEM certificate: x509: malformed certificate", error);
    }
  }
  if (block.type === "PUBLIC KEY") {
    try {
      return [{ ...named, key: createPublicKey({ key: bytes, format: "der", type: "spki" }) }];
    } catch (error) {
      throw failure("failed to parse a PEM public key: x509: malformed public key", error);
    }
  }
  throw failure("failed to extract a Key from the PEM certificate");
}

function parseKeys(text: string): readonly TokenKey[] {
  const fromPem = pemKeys(text);
  if (fromPem !== undefined) {
    return fromPem;
  }
  try {
    return parseJwks(text).filter(({ alg }) => alg === "" || tokenAlgorithms.has(alg));
  } catch (error) {
    throw error instanceof BuiltinError
      ? failure(`failed to parse a JWK key (set): ${error.message}`, error)
      : error;
  }
}

function isKeyList(value: unknown): value is readonly TokenKey[] {
  return Array.isArray(value);
}

/** Keys of a certificate, a public key or a JWK (set), kept between queries. @throws BuiltinError */
export function verificationKeys(text: string, context: BuiltinContext): readonly TokenKey[] {
  const cacheKey = `io.jwt.keys:${text}`;
  const known = context.cache.get(cacheKey);
  if (isKeyList(known)) {
    return known;
  }
  context.spend(1_000 + text.length);
  const keys = parseKeys(flatCopy(text));
  context.cache.set(cacheKey, keys);
  return keys;
}

/** Whether a key is of the kind an algorithm of tokens works with. */
export function keyFits(key: KeyObject, alg: string): boolean {
  const algorithm = tokenAlgorithms.get(alg);
  return algorithm !== undefined && fits(key, algorithm.family);
}

function fits(key: KeyObject, family: Family): boolean {
  const type = key.asymmetricKeyType;
  if (family === "rsa" || family === "rsa-pss") {
    return type === "rsa";
  }
  return type === family;
}

/** Whether a signature is by a key. False for anything that does not fit together. */
export function isSignedBy(
  key: Uint8Array | KeyObject,
  alg: string,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  const algorithm = tokenAlgorithms.get(alg);
  if (algorithm === undefined) {
    return false;
  }
  const { family, digest } = algorithm;
  if (key instanceof Uint8Array) {
    return family === "hmac" && digest !== undefined && isHmac(key, digest, data, signature);
  }
  if (!fits(key, family)) {
    return false;
  }
  const options = {
    key,
    dsaEncoding: "ieee-p1363" as const,
    ...(family === "rsa-pss"
      ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO }
      : {}),
  };
  try {
    return verify(digest, data, options, signature);
  } catch {
    // OpenSSL refuses the key or the signature's form: it does not verify.
    return false;
  }
}

function isHmac(secret: Uint8Array, digest: string, data: Uint8Array, signature: Uint8Array): boolean {
  const expected = createHmac(digest, secret).update(data).digest();
  return expected.length === signature.length && timingSafeEqual(expected, signature);
}

export function hmacOf(secret: string, digest: string, data: string): Uint8Array {
  return createHmac(digest, bytesOf(secret)).update(bytesOf(data)).digest();
}

/** @throws BuiltinError when the key cannot be used with the algorithm. */
export function signWith(key: TokenKey, alg: string, data: Uint8Array): Uint8Array {
  const algorithm = tokenAlgorithms.get(alg);
  if (algorithm === undefined) {
    throw failure(`unknown JWS algorithm: ${alg}`);
  }
  const { family, digest } = algorithm;
  if (key.key instanceof Uint8Array) {
    if (family !== "hmac" || digest === undefined) {
      throw failure(`a symmetric key cannot sign with ${alg}`);
    }
    return createHmac(digest, key.key).update(data).digest();
  }
  if (key.signer === undefined || !fits(key.signer, family)) {
    throw failure(`the key cannot sign with ${alg}`);
  }
  try {
    return sign(digest, data, {
      key: key.signer,
      dsaEncoding: "ieee-p1363",
      ...(family === "rsa-pss"
        ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
        : {}),
    });
  } catch (error) {
    throw failure(`signing with ${alg} failed`, error);
  }
}
