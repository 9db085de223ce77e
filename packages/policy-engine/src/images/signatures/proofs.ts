/**
 * What Sigstore's own library is for: reading certificates of Fulcio, and proofs of time by logs and authorities. To be
 * loaded late, as a whole: a bundler gives the names of CommonJS packages to static imports only.
 */
import { createHash } from "node:crypto";
import { type Bundle, bundleFromJSON, type SerializedBundle } from "@sigstore/bundle";
import { X509Certificate } from "@sigstore/core";
import { toSignedEntity, toTrustMaterial, Verifier } from "@sigstore/verify";
import type { CertificateIdentity } from "../identity.ts";
import type { CertificateSigners } from "../rules.ts";
import type { Evidence, FoundSignature } from "./found.ts";

/** Fulcio's extensions for the issuer (fulcio/docs/oid-info.md): a DER string, and before that its bare bytes. */
const issuerV2 = "1.3.6.1.4.1.57264.1.8";
const issuerV1 = "1.3.6.1.4.1.57264.1.1";

/** What is configured has to vouch: a log, an authority, or one of each. Throws what is wrong. */
export function verifyWithProofs(
  json: Evidence["bundle"],
  leaf: Buffer,
  found: FoundSignature,
  signers: CertificateSigners,
): void {
  const bundle = bundleFromJSON(json as unknown as SerializedBundle);
  if (!certificateOf(bundle)?.equals(leaf)) throw new Error("its certificates contradict one another");
  const entity = toSignedEntity(bundle, found.signed);
  const { transparencyLogs, timestampAuthorities } = signers;
  // Proofs by somebody nobody asked for prove nothing, and must not spoil those that do.
  const asked = entity.timestamps.filter(({ $case }) =>
    $case === "transparency-log" ? transparencyLogs.length > 0 : timestampAuthorities.length > 0,
  );
  const count = (kind: string) => asked.filter(({ $case }) => $case === kind).length;
  if (transparencyLogs.length > 0 && count("transparency-log") === 0)
    throw new Error("it carries no proof of a transparency log");
  if (timestampAuthorities.length > 0 && count("timestamp-authority") === 0)
    throw new Error("it carries no timestamp of an authority");
  const verifier = new Verifier(toTrustMaterial(trustedRootOf(signers)), {
    ctlogThreshold: 0,
    tlogThreshold: transparencyLogs.length > 0 ? 1 : 0,
    timestampThreshold: 1,
  });
  const tlogEntries = transparencyLogs.length > 0 ? entity.tlogEntries : [];
  verifier.verify({ ...entity, timestamps: asked, tlogEntries });
}

/** The one that the library goes by. */
function certificateOf({ verificationMaterial: { content } }: Bundle): Buffer | undefined {
  switch (content.$case) {
    case "certificate":
      return content.certificate.rawBytes;
    case "x509CertificateChain":
      return content.x509CertificateChain.certificates[0]?.rawBytes;
    default:
      return undefined;
  }
}

type TrustedRoot = Parameters<typeof toTrustMaterial>[0];

function trustedRootOf({
  authorities,
  transparencyLogs,
  timestampAuthorities,
}: CertificateSigners): TrustedRoot {
  const chainOf = (chain: CertificateSigners["authorities"]) => ({
    subject: undefined,
    uri: "",
    certChain: { certificates: chain.map(({ der }) => ({ rawBytes: der })) },
    validFor: undefined,
    operator: "",
  });
  return {
    mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    certificateAuthorities: [chainOf(authorities)],
    timestampAuthorities: timestampAuthorities.map(chainOf),
    ctlogs: [],
    tlogs: transparencyLogs.map((key) => {
      const rawBytes = key.export({ type: "spki", format: "der" });
      return {
        baseUrl: "",
        // HashAlgorithm.SHA2_256 and PublicKeyDetails.PKIX_ECDSA_P256_SHA_256 (sigstore_common.proto); the key itself says what it is.
        hashAlgorithm: 1,
        publicKey: { rawBytes, keyDetails: 5, validFor: undefined },
        // RFC 6962, 3.2.
        logId: { keyId: createHash("sha256").update(rawBytes).digest() },
        checkpointKeyId: undefined,
        operator: "",
      };
    }),
  };
}

/** By Sigstore's parser for both ways to verify: Node shows alternative names as text only. */
export function identityOf(der: Buffer): CertificateIdentity {
  const parsed = X509Certificate.parse(Buffer.from(der));
  const second = parsed.extension(issuerV2);
  const issuer = second
    ? second.valueObj.subs[0]?.value.toString("utf8")
    : parsed.extension(issuerV1)?.value.toString("utf8");
  return { subject: parsed.subjectAltName, issuer };
}
