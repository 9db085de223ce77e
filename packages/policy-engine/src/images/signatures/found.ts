/** The signatures that a registry holds of an image, in the two forms that cosign stores them. */
import { isJsonObject, type JsonObject } from "../../pod-security/shape-reader.ts";
import { ownOf, parseObject } from "../registry/documents.ts";
import { RegistryError } from "../registry/errors.ts";
import type { Repository } from "../registry/repository.ts";
import { evidenceOf } from "./simple-evidence.ts";

/** What is signed, and by what; the rest is evidence of who did it and when. */
export interface FoundSignature {
  /** The bytes that were signed. */
  readonly signed: Buffer;
  readonly signatures: readonly Buffer[];
  /** Digests that the signed bytes say were signed, as an image's signature. */
  readonly digests: readonly string[];
  /** For who signed by a certificate. */
  readonly evidence: Evidence | undefined;
}

/** A signing certificate with proofs of when it was used, as a Sigstore bundle or as what one is made of. */
export interface Evidence {
  readonly leaf: Buffer;
  /** `dev.sigstore.bundle` JSON. */
  readonly bundle: JsonObject;
}

type Reader = Pick<Repository, "manifest" | "blob" | "referrers">;

/** A payload names an image and little else; a bundle holds certificates and a proof. */
const mostPayloadBytes = 65_536;
const mostBundleBytes = 262_144;
/** Each is a call, and a signature to check. */
const mostSignatures = 16;

const simpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json";
const sigstoreBundle = "application/vnd.dev.sigstore.bundle.v0.3+json";

/** Stands for what is there and cannot be read: it signs nothing. */
const unreadable: FoundSignature = {
  signed: Buffer.alloc(0),
  signatures: [],
  digests: [],
  evidence: undefined,
};

/**
 * One after the other, for the first good one ends the search.
 * @throws RegistryError after all others, where some could not be had: then nobody can say that there is no good one
 */
export async function* signaturesOf(repository: Reader, digest: string): AsyncGenerator<FoundSignature> {
  const failures: RegistryError[] = [];
  const reading = async <T>(read: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      // What is broken is no signature; else whoever can push one that is broken could keep others from being missed.
      if (!error.isAnswer) failures.push(error);
      return undefined;
    }
  };
  const [tagged, referring] = await Promise.all([
    reading(() => repository.manifest(`${digest.replace(":", "-")}.sig`)),
    reading(() => repository.referrers(digest)),
  ]);
  const layers = (tagged?.layers ?? []).filter(({ mediaType }) => mediaType === simpleSigning);
  for (const layer of layers.slice(0, mostSignatures))
    yield (await reading(async () => {
      const payload = await repository.blob(layer.digest, mostPayloadBytes);
      return simple(Buffer.from(payload), layer.annotations);
    })) ?? unreadable;
  const bundles = (referring?.manifests ?? []).filter(({ artifactType, annotations }) => {
    // A hint, so that statements of other kinds do not crowd out the signature.
    const predicate = annotations.get("dev.sigstore.bundle.predicateType") ?? signPredicate;
    return artifactType === sigstoreBundle && predicate === signPredicate;
  });
  for (const { digest: of } of bundles.slice(0, mostSignatures))
    yield (await reading(async () => {
      const manifest = await repository.manifest(of);
      const layer = manifest?.layers.find(({ mediaType }) => mediaType === sigstoreBundle);
      return layer && bundled(await repository.blob(layer.digest, mostBundleBytes));
    })) ?? unreadable;
  const [failure] = failures;
  if (failure !== undefined) throw failure;
}

/** Cosign's first form: a payload, and beside it in annotations the signature and what proves whose it is. */
function simple(payload: Buffer, annotations: ReadonlyMap<string, string>): FoundSignature | undefined {
  const signature = annotations.get("dev.cosignproject.cosign/signature");
  if (signature === undefined) return undefined;
  const critical = objectAt(parseObject(payload, "what was signed"), "critical");
  const type = ownOf(critical, "type");
  const named = ownOf(objectAt(critical, "image"), "docker-manifest-digest");
  return {
    signed: payload,
    signatures: [Buffer.from(signature, "base64")],
    digests: typeof named === "string" && imageSignatureTypes.has(type) ? [named] : [],
    evidence: evidenceOf(payload, signature, annotations),
  };
}

/** github.com/containers/image, "containers-signature(5)", and cosign's own. */
const imageSignatureTypes: ReadonlySet<unknown> = new Set([
  "cosign container image signature",
  "atomic container signature",
]);

const statementTypes: ReadonlySet<unknown> = new Set([
  "https://in-toto.io/Statement/v1",
  "https://in-toto.io/Statement/v0.1",
]);
/** Other statements about an image, of how it was built for instance, do not sign it. */
const signPredicate = "https://sigstore.dev/cosign/sign/v1";
const inToto = "application/vnd.in-toto+json";

/** Cosign's second form: a Sigstore bundle whose envelope (DSSE v1) holds an in-toto statement. */
function bundled(bytes: Uint8Array): FoundSignature | undefined {
  const bundle = parseObject(bytes, "a signature");
  const envelope = objectAt(bundle, "dsseEnvelope");
  const encoded = ownOf(envelope, "payload");
  if (ownOf(envelope, "payloadType") !== inToto || typeof encoded !== "string") return undefined;
  const payload = Buffer.from(encoded, "base64");
  const statement = parseObject(payload, "what was signed");
  const isSignature =
    statementTypes.has(ownOf(statement, "_type")) && ownOf(statement, "predicateType") === signPredicate;
  const leaf = leafOf(objectAt(bundle, "verificationMaterial"));
  return {
    // DSSE v1, "pre-authentication encoding".
    signed: Buffer.concat([Buffer.from(`DSSEv1 ${inToto.length} ${inToto} ${payload.length} `), payload]),
    signatures: objectsAt(envelope, "signatures").flatMap((item) => base64Of(item, "sig")),
    digests: isSignature ? objectsAt(statement, "subject").flatMap(sha256Of) : [],
    evidence: leaf && { leaf, bundle },
  };
}

function sha256Of(subject: JsonObject): string[] {
  const hex = ownOf(objectAt(subject, "digest"), "sha256");
  return typeof hex === "string" ? [`sha256:${hex}`] : [];
}

function leafOf(material: JsonObject): Buffer | undefined {
  const [chained] = objectsAt(objectAt(material, "x509CertificateChain"), "certificates");
  return [objectAt(material, "certificate"), chained ?? {}].flatMap((item) => base64Of(item, "rawBytes"))[0];
}

function base64Of(json: JsonObject, key: string): Buffer[] {
  const value = ownOf(json, key);
  return typeof value === "string" && value !== "" ? [Buffer.from(value, "base64")] : [];
}

function objectAt(json: JsonObject, key: string): JsonObject {
  const value = ownOf(json, key);
  return isJsonObject(value) ? value : {};
}

function objectsAt(json: JsonObject, key: string): readonly JsonObject[] {
  const value = ownOf(json, key);
  return Array.isArray(value) ? value.slice(0, mostSignatures).filter(isJsonObject) : [];
}
