/** What cosign's first form says in annotations about certificate and time, as the Sigstore bundle that says the same. */
import { createHash } from "node:crypto";
import { isJsonObject, type JsonObject } from "../../pod-security/shape-reader.ts";
import { certificatesOf, PemError } from "../pem.ts";
import { ownOf, parseObject, textOf } from "../registry/documents.ts";
import { RegistryError } from "../registry/errors.ts";
import type { Evidence } from "./found.ts";

/** Undefined where no certificate is given, or none that can be read. */
export function evidenceOf(
  payload: Buffer,
  signature: string,
  annotations: ReadonlyMap<string, string>,
): Evidence | undefined {
  const leaf = leafOf(annotations.get("dev.sigstore.cosign/certificate"));
  if (leaf === undefined) return undefined;
  const digest = createHash("sha256").update(payload).digest("base64");
  return {
    leaf,
    bundle: {
      mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.1",
      verificationMaterial: {
        x509CertificateChain: { certificates: [{ rawBytes: leaf.toString("base64") }] },
        tlogEntries: logEntries(annotations.get("dev.sigstore.cosign/bundle")),
        timestampVerificationData: {
          rfc3161Timestamps: timestamps(annotations.get("dev.sigstore.cosign/rfc3161timestamp")),
        },
      },
      messageSignature: { messageDigest: { algorithm: "SHA2_256", digest }, signature },
    },
  };
}

function leafOf(pem: string | undefined): Buffer | undefined {
  try {
    return pem === undefined ? undefined : certificatesOf(pem)[0]?.der;
  } catch (error) {
    if (error instanceof PemError) return undefined;
    throw error;
  }
}

/** What Rekor promised (its signed entry timestamp), and of what. */
function logEntries(annotation: string | undefined): JsonObject[] {
  const promise = objectOf(annotation);
  const entry = promise && ownOf(promise, "Payload");
  if (promise === undefined || !isJsonObject(entry)) return [];
  const body = textOf(entry, "body") ?? "";
  const { kind, apiVersion: version } = objectOf(Buffer.from(body, "base64").toString("utf8")) ?? {};
  return [
    {
      logIndex: String(ownOf(entry, "logIndex")),
      logId: { keyId: Buffer.from(textOf(entry, "logID") ?? "", "hex").toString("base64") },
      kindVersion: { kind: String(kind), version: String(version) },
      integratedTime: String(ownOf(entry, "integratedTime")),
      inclusionPromise: { signedEntryTimestamp: textOf(promise, "SignedEntryTimestamp") ?? "" },
      canonicalizedBody: body,
    },
  ];
}

function timestamps(annotation: string | undefined): JsonObject[] {
  const stamp = objectOf(annotation);
  const signedTimestamp = stamp && textOf(stamp, "SignedRFC3161Timestamp");
  return signedTimestamp === undefined ? [] : [{ signedTimestamp }];
}

function objectOf(text: string | undefined): JsonObject | undefined {
  try {
    return text === undefined ? undefined : parseObject(Buffer.from(text), "an annotation");
  } catch (error) {
    if (error instanceof RegistryError) return undefined;
    throw error;
  }
}
