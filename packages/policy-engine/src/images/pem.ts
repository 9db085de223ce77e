/** Keys and certificates that a policy holds as PEM (RFC 7468). */
import { createPublicKey, type KeyObject, X509Certificate } from "node:crypto";

export class PemError extends Error {
  override readonly name = "PemError";
}

export interface PemBlock {
  readonly certificate: X509Certificate;
  readonly der: Buffer;
}

const mostCertificates = 16;
/** NIST SP 800-131A. */
const shortestRsaBits = 2_048;
const curves: ReadonlySet<string> = new Set(["prime256v1", "secp384r1", "secp521r1"]);

/** @throws PemError saying what to write */
export function publicKeyOf(pem: string): KeyObject {
  // Node would take the public half of a private key, and nobody would notice where that key lies.
  if (pem.includes("PRIVATE KEY"))
    throw new PemError(
      "holds a private key, which everybody can read who can read policies: write the public key (cosign.pub)",
    );
  const [block, ...more] = blocksOf(pem, "PUBLIC KEY");
  if (block === undefined)
    throw new PemError("is no public key as PEM: it begins with -----BEGIN PUBLIC KEY-----");
  if (more.length > 0) throw new PemError("holds several keys: write each as an item of its own");
  let key: KeyObject;
  try {
    key = createPublicKey({ key: block, format: "der", type: "spki" });
  } catch (cause) {
    throw new PemError("is no public key that can be read: copy it again", { cause });
  }
  const { namedCurve = "", modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case "ed25519":
      return key;
    case "ec":
      if (curves.has(namedCurve)) return key;
      throw new PemError(`is on the curve ${namedCurve}: use P-256, P-384 or P-521`);
    case "rsa":
      if (modulusLength >= shortestRsaBits) return key;
      throw new PemError(`is an RSA key of ${modulusLength} bits: use ${shortestRsaBits} or more`);
    default:
      throw new PemError(`is a key of type ${key.asymmetricKeyType}: use ECDSA, RSA or Ed25519`);
  }
}

/** @throws PemError saying what to write */
export function certificatesOf(pem: string): readonly PemBlock[] {
  if (pem.includes("PRIVATE KEY"))
    throw new PemError("holds a private key, which everybody can read who can read policies: leave it out");
  const blocks = blocksOf(pem, "CERTIFICATE");
  if (blocks.length === 0)
    throw new PemError("holds no certificate as PEM: one begins with -----BEGIN CERTIFICATE-----");
  if (blocks.length > mostCertificates)
    throw new PemError(`holds more than ${mostCertificates} certificates`);
  return blocks.map((der, at) => {
    try {
      return { certificate: new X509Certificate(der), der };
    } catch (cause) {
      throw new PemError(`certificate ${at + 1} of it cannot be read: copy it again`, { cause });
    }
  });
}

/** What stands between the lines of a label, decoded; text around blocks is for people. */
function blocksOf(pem: string, label: string): Buffer[] {
  const [, ...begun] = pem.split(`-----BEGIN ${label}-----`);
  return begun.map((rest) => {
    const end = rest.indexOf(`-----END ${label}-----`);
    const body = (end < 0 ? "" : rest.slice(0, end)).replaceAll(/\s/g, "");
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(body))
      throw new PemError("holds a block that is cut off or no base64: copy it again");
    return Buffer.from(body, "base64");
  });
}
