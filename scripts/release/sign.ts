/** Signatures over what a release consists of, in the forms that openssl and cosign verify. */
import { createPublicKey, type KeyLike, type KeyObject, sign, verify } from "node:crypto";

/** Ed25519 hashes by itself; every other key signs a SHA-256 digest. */
function hashFor(key: KeyObject): string | null {
  return key.asymmetricKeyType === "ed25519" ? null : "sha256";
}

/** As `openssl dgst -sha256 -sign` makes it, which `cosign verify-blob` takes too. */
export function signBytes(bytes: Uint8Array, key: KeyObject): Buffer {
  return sign(hashFor(key), bytes, key);
}

export function isSignedBy(bytes: Uint8Array, signature: Uint8Array, publicKey: KeyLike): boolean {
  const key = createPublicKey(publicKey as Parameters<typeof createPublicKey>[0]);
  return verify(hashFor(key), bytes, key, signature);
}

export const statementType = "application/vnd.in-toto+json";

interface Envelope {
  readonly payloadType: string;
  readonly payload: string;
  readonly signatures: readonly { readonly sig: string }[];
}

/** A DSSE envelope (`cosign verify-blob-attestation`). */
export function envelopeOf(statement: Uint8Array, key: KeyObject): string {
  const signature = signBytes(preAuthenticationEncoding(statementType, statement), key);
  const envelope: Envelope = {
    payloadType: statementType,
    payload: Buffer.from(statement).toString("base64"),
    signatures: [{ sig: signature.toString("base64") }],
  };
  return `${JSON.stringify(envelope)}\n`;
}

/** The statement in an envelope. Throws when no signature is the key's. */
export function openEnvelope(text: string, publicKey: KeyLike): Buffer {
  const { payloadType, payload, signatures } = JSON.parse(text) as Envelope;
  const statement = Buffer.from(payload, "base64");
  const signed = preAuthenticationEncoding(payloadType, statement);
  const isGood = signatures.some(({ sig }) => isSignedBy(signed, Buffer.from(sig, "base64"), publicKey));
  if (!isGood || payloadType !== statementType) throw new Error("the envelope is not signed by this key");
  return statement;
}

/** https://github.com/secure-systems-lab/dsse/blob/master/protocol.md */
function preAuthenticationEncoding(type: string, payload: Uint8Array): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.byteLength} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/** What `cosign sign` signs for an image; `cosign attach signature --payload --signature` hands it to a registry. */
export function imagePayload(name: string, digest: string): Buffer {
  return Buffer.from(
    JSON.stringify({
      critical: {
        identity: { "docker-reference": name },
        image: { "docker-manifest-digest": digest },
        type: "cosign container image signature",
      },
      optional: null,
    }),
  );
}
