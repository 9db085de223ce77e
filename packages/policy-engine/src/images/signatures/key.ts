/** Whether a key made a signature. */
import { type KeyObject, verify } from "node:crypto";
import type { FoundSignature } from "./found.ts";

export function isSignedBy(
  { signed, signatures }: Pick<FoundSignature, "signed" | "signatures">,
  key: KeyObject,
): boolean {
  return signatures.some((signature) =>
    hashesFor(key).some((hash) => isSignature(hash, signed, key, signature)),
  );
}

/** Cosign hashes with SHA-256 whatever the curve; newer versions with the one of the curve's size. */
function hashesFor(key: KeyObject): readonly (string | null)[] {
  if (key.asymmetricKeyType === "ed25519") return [null];
  switch (key.asymmetricKeyDetails?.namedCurve) {
    case "secp384r1":
      return ["sha256", "sha384"];
    case "secp521r1":
      return ["sha256", "sha512"];
    default:
      return ["sha256"];
  }
}

function isSignature(hash: string | null, signed: Buffer, key: KeyObject, signature: Buffer): boolean {
  try {
    return verify(hash, signed, key, signature);
  } catch {
    // Whatever OpenSSL has against it, it is no signature.
    return false;
  }
}
