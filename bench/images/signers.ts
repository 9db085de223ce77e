/** Who signs the images of the benchmark, as cosign does: a key, and a certificate with the entry of a log. */
import { createHash, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import { initializeCA, initializeTLog } from "@sigstore/mock";
import type { SimpleSignature } from "../../packages/policy-engine/testing/registry/signing.ts";
import { simplePayload } from "../../packages/policy-engine/testing/registry/signing.ts";

export interface Signer {
  readonly kind: "key" | "certificate";
  /** Of a rule of `spec.verifyImages`: who must have signed. */
  readonly rule: object;
  sign(digest: string): Promise<SimpleSignature>;
  /** The one thing that nobody who verifies the signature can do without. */
  verifyRaw(signature: SimpleSignature): boolean;
}

const ecKeys = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
const publicPem = (key: KeyObject): string => key.export({ type: "spki", format: "pem" }).toString();

export function keySigner(): Signer {
  const { publicKey, privateKey } = ecKeys();
  return {
    kind: "key",
    rule: { keys: [publicPem(publicKey)] },
    sign: async (digest) => signed(digest, privateKey),
    verifyRaw: ({ payload, signature }) => verify("sha256", payload, publicKey, signature),
  };
}

const subject = "https://git.example.com/shop/.github/workflows/release.yml@refs/tags/v1";
const issuer = "https://issuer.example.com";
/** Fulcio's extension for the issuer, as UTF-8 in DER (fulcio, docs/oid-info.md). */
const issuerV2 = "1.3.6.1.4.1.57264.1.8";

export async function certificateSigner(): Promise<Signer> {
  const authority = await initializeCA(ecKeys());
  const logKeys = ecKeys();
  const log = await initializeTLog("https://rekor.example", logKeys);
  const { publicKey, privateKey } = ecKeys();
  const spki = Buffer.from(publicKey.export({ type: "spki", format: "der" }));
  const extensions = [{ oid: issuerV2, value: issuer }];
  const leaf = await authority.issueCertificate({ publicKey: spki, subjectAltName: subject, extensions });
  const certificate = certificatePem(leaf);
  return {
    kind: "certificate",
    rule: {
      certificates: {
        roots: certificatePem(authority.rootCertificate),
        identities: [{ issuer, subject }],
        transparencyLogs: [publicPem(logKeys.publicKey)],
      },
    },
    async sign(digest) {
      const { payload, signature } = signed(digest, privateKey);
      const bundle = await entryOf(log, payload, signature, certificate);
      const annotations = {
        "dev.sigstore.cosign/certificate": certificate,
        "dev.sigstore.cosign/bundle": JSON.stringify(bundle),
      };
      return { payload, signature, annotations };
    },
    verifyRaw: ({ payload, signature }) => verify("sha256", payload, publicKey, signature),
  };
}

function signed(digest: string, privateKey: KeyObject): SimpleSignature {
  const payload = simplePayload(digest);
  return { payload, signature: sign("sha256", payload, privateKey) };
}

function certificatePem(der: ArrayBufferView): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString("base64");
  return `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`;
}

interface LogEntry {
  readonly body: string;
  readonly integratedTime: number;
  readonly logIndex: number;
  readonly logID: string;
  readonly verification?: { readonly signedEntryTimestamp?: string };
}

/** As a signature carries it (Rekor's hashedrekord 0.0.1). */
async function entryOf(
  log: Awaited<ReturnType<typeof initializeTLog>>,
  payload: Buffer,
  signature: Buffer,
  certificate: string,
): Promise<object> {
  const entries = await log.log({
    apiVersion: "0.0.1",
    kind: "hashedrekord",
    spec: {
      data: { hash: { algorithm: "sha256", value: createHash("sha256").update(payload).digest("hex") } },
      signature: {
        content: signature.toString("base64"),
        publicKey: { content: Buffer.from(certificate).toString("base64") },
      },
    },
  });
  const [entry] = Object.values(entries) as unknown as LogEntry[];
  if (entry === undefined) throw new Error("the log has no entry");
  const { body, integratedTime, logIndex, logID, verification } = entry;
  return {
    SignedEntryTimestamp: verification?.signedEntryTimestamp ?? "",
    Payload: { body, integratedTime, logIndex, logID },
  };
}
