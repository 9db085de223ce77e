/**
 * Keys that signatures of bundles are verified with. What they cannot do is found here, when they are configured, and
 * not when the first bundle comes. Sizes and curves: RFC 7518 sections 3.2 to 3.5.
 */
import { createPublicKey, KeyObject } from "node:crypto";
import { BuiltinError } from "../builtins/contract.ts";
import { bytesOf } from "../builtins/go/bytes.ts";
import { decodePem } from "../builtins/go/pem.ts";
import { keyFits, pemKeys, tokenAlgorithms } from "../builtins/token-keys.ts";
import { BundleError } from "./errors.ts";

export interface VerificationKey {
  /** A public key or certificate as PEM, or the secret of an HS algorithm. */
  readonly key: string;
  /** RS256, PS256, ES256, HS256 and their like, or EdDSA; default RS256, as in OPA. */
  readonly algorithm?: string;
  /** What the signature's `scope` must be where the verification names none. */
  readonly scope?: string;
}

export interface VerifierOptions {
  /** By id: the `kid` of a signature's header, or its claim `keyid`. The only one there is needs no such name. */
  readonly keys: Readonly<Record<string, VerificationKey>>;
  /** The key to use whatever the signature names. */
  readonly keyId?: string;
  /** What the signature's `scope` must be. */
  readonly scope?: string;
}

export interface UsableKey {
  readonly key: Uint8Array | KeyObject;
  readonly algorithm: string;
  readonly scope: string;
}

/** With one, no bundle without a good signature is read. */
export interface BundleVerifier {
  readonly keys: ReadonlyMap<string, UsableKey>;
  readonly keyId: string | undefined;
  readonly scope: string | undefined;
}

const minRsaBits = 2_048;
const curves: Readonly<Record<string, string>> = {
  ES256: "prime256v1",
  ES384: "secp384r1",
  ES512: "secp521r1",
};

/** @throws BundleError (INVALID_KEY) naming the key. */
export function bundleVerifier(options: VerifierOptions): BundleVerifier {
  const keys = new Map(Object.entries(options.keys).map(([id, key]) => [id, usableKey(id, key)] as const));
  if (keys.size === 0)
    throw new BundleError(
      "INVALID_KEY",
      "no key to verify bundles with is configured, so none could ever be accepted",
    );
  const keyId = emptyAsNone(options.keyId);
  if (keyId !== undefined && !keys.has(keyId))
    throw new BundleError("INVALID_KEY", `there is no key ${JSON.stringify(keyId)} among those configured`);
  return { keys, keyId, scope: emptyAsNone(options.scope) };
}

const emptyAsNone = (text: string | undefined): string | undefined => (text === "" ? undefined : text);

function usableKey(id: string, { key, algorithm = "RS256", scope = "" }: VerificationKey): UsableKey {
  const fail = (problem: string, cause?: unknown): never => {
    throw new BundleError("INVALID_KEY", `key ${JSON.stringify(id)} ${problem}`, { cause });
  };
  if (!tokenAlgorithms.has(algorithm))
    return fail(
      `names the algorithm ${JSON.stringify(algorithm)}; use one of ${[...tokenAlgorithms.keys()].join(", ")}`,
    );
  if (algorithm.startsWith("HS")) return { key: secretOf(key, algorithm, fail), algorithm, scope };
  const publicKey = publicKeyOf(key, fail);
  if (!keyFits(publicKey, algorithm))
    return fail(`is of type ${publicKey.asymmetricKeyType ?? "unknown"}, which ${algorithm} cannot use`);
  const { modulusLength = 0, namedCurve } = publicKey.asymmetricKeyDetails ?? {};
  if (publicKey.asymmetricKeyType === "rsa" && modulusLength < minRsaBits)
    return fail(`has ${modulusLength} bits; an RSA key needs ${minRsaBits}`);
  if (Object.hasOwn(curves, algorithm) && namedCurve !== curves[algorithm])
    return fail(`is on the curve ${namedCurve}; ${algorithm} needs ${curves[algorithm]}`);
  return { key: publicKey, algorithm, scope };
}

function secretOf(text: string, algorithm: string, fail: (problem: string) => never): Uint8Array {
  if (decodePem(text) !== undefined)
    return fail(`is in PEM form, but ${algorithm} uses a secret: a public key must never serve as one`);
  const secret = bytesOf(text);
  const least = Number(algorithm.slice(2)) / 8;
  return secret.length >= least
    ? secret
    : fail(`has ${secret.length} bytes; a secret for ${algorithm} needs ${least}`);
}

function publicKeyOf(text: string, fail: (problem: string, cause?: unknown) => never): KeyObject {
  const block = decodePem(text);
  if (block?.type.endsWith("PRIVATE KEY"))
    return fail("is a private key: configure the public one, and keep the private one with the signer");
  try {
    if (block?.type === "RSA PUBLIC KEY")
      return createPublicKey({ key: Buffer.from(block.bytes), format: "der", type: "pkcs1" });
    const key = pemKeys(text)?.[0]?.key;
    if (key instanceof KeyObject) return key;
  } catch (error) {
    const reason = error instanceof BuiltinError ? error.message : "its bytes are no key";
    return fail(`cannot be read: ${reason}`, error);
  }
  return fail(
    "is not in PEM form: it must begin with -----BEGIN PUBLIC KEY----- or -----BEGIN CERTIFICATE-----",
  );
}
