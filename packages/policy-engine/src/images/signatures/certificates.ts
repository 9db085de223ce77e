/** Signatures by certificates. Sigstore's own library is loaded with the first of them, for most replicas never need it. */
import { X509Certificate } from "node:crypto";
import type { CertificateIdentity } from "../identity.ts";
import type { CertificateSigners } from "../rules.ts";
import type { Evidence, FoundSignature } from "./found.ts";
import { isSignedBy } from "./key.ts";
import type { SignatureVerdict } from "./verify.ts";

/** Extended key usages (RFC 5280, 4.2.1.12). */
const codeSigning = "1.3.6.1.5.5.7.3.3";
const anyUsage = "2.5.29.37.0";
const longestChain = 8;

export async function verifyByCertificate(
  found: FoundSignature,
  { leaf: der, bundle }: Evidence,
  signers: CertificateSigners,
  nowMs: number,
): Promise<SignatureVerdict> {
  const { identityOf, verifyWithProofs } = await import("./proofs.ts");
  try {
    const leaf = new X509Certificate(der);
    const { keyUsage } = leaf;
    if (
      leaf.ca ||
      (keyUsage !== undefined && !keyUsage.some((usage) => usage === codeSigning || usage === anyUsage))
    )
      return bad("its certificate is not one for signing code");
    const identity = identityOf(der);
    if (!signers.identities.some((wanted) => wanted.matches(identity)))
      return bad(`it is by ${shown(identity)}`);
    // By ourselves, and by this certificate: a bundle that holds several must not have one named and another verified.
    if (!isSignedBy(found, leaf.publicKey)) return bad("its certificate is of another key");
    const { transparencyLogs, timestampAuthorities } = signers;
    if (transparencyLogs.length === 0 && timestampAuthorities.length === 0)
      return verifyNow(leaf, signers, identity, nowMs);
    verifyWithProofs(bundle, der, found, signers);
    return { kind: "good", signer: shown(identity) };
  } catch (error) {
    // Whatever Node or the library has against what a stranger wrote, it proves nothing.
    return bad(error instanceof Error ? error.message : String(error));
  }
}

const bad = (problem: string): SignatureVerdict => ({ kind: "bad", problem });

/** Nothing proves when it was signed: the certificate has to be valid now. */
function verifyNow(
  leaf: X509Certificate,
  { authorities }: CertificateSigners,
  identity: CertificateIdentity,
  nowMs: number,
): SignatureVerdict {
  let certificate = leaf;
  for (let length = 0; length < longestChain; length++) {
    if (!isValidAt(certificate, nowMs))
      return bad(
        certificate === leaf
          ? `its certificate was valid until ${leaf.validTo} only: add transparencyLogs or timestampAuthorities, which prove that it was signed before`
          : "an authority of its certificate is not valid now",
      );
    const subject = certificate;
    const isRoot = authorities.some(({ der }) => der.equals(subject.raw)) && subject.checkIssued(subject);
    if (isRoot) return { kind: "good", signer: shown(identity), untilMs: leaf.validToDate.getTime() };
    const issuer = authorities.find(
      ({ certificate: authority }) =>
        authority.ca && subject.checkIssued(authority) && subject.verify(authority.publicKey),
    );
    if (issuer === undefined) break;
    certificate = issuer.certificate;
  }
  return bad("its certificate is not by an authority in roots");
}

function isValidAt({ validFromDate, validToDate }: X509Certificate, nowMs: number): boolean {
  return validFromDate.getTime() <= nowMs && nowMs <= validToDate.getTime();
}

const longestShown = 256;

function shown({ subject = "nobody", issuer }: CertificateIdentity): string {
  const text = issuer === undefined ? subject : `${subject} (${issuer})`;
  return text.length <= longestShown ? text : `${text.slice(0, longestShown - 1).toWellFormed()}…`;
}
