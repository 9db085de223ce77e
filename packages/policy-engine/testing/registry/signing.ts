/** Signs images as cosign does, in both of its forms, with keys of one's own. */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { digestOf, type TestRegistry } from "./registry.ts";

export interface SigningKey {
  readonly privateKey: KeyObject;
  readonly publicKeyPem: string;
}

export type KeyKind = "P-256" | "P-384" | "P-521" | "rsa" | "ed25519";

export function signingKey(kind: KeyKind = "P-256"): SigningKey {
  const { privateKey, publicKey } =
    kind === "rsa"
      ? generateKeyPairSync("rsa", { modulusLength: 2048 })
      : kind === "ed25519"
        ? generateKeyPairSync("ed25519")
        : generateKeyPairSync("ec", { namedCurve: kind });
  return { privateKey, publicKeyPem: publicKey.export({ type: "spki", format: "pem" }).toString() };
}

/** What cosign signs in its first form (`cosign generate`). */
export function simplePayload(digest: string, members: object = {}): Buffer {
  const critical = {
    identity: { "docker-reference": "" },
    image: { "docker-manifest-digest": digest },
    type: "cosign container image signature",
  };
  return Buffer.from(JSON.stringify({ critical, optional: null, ...members }));
}

export function signatureBy({ privateKey }: Pick<SigningKey, "privateKey">, bytes: Buffer): Buffer {
  return sign(privateKey.asymmetricKeyType === "ed25519" ? null : "sha256", bytes, privateKey);
}

export interface SimpleSignature {
  readonly payload: Buffer;
  readonly signature: Buffer;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Under the tag that cosign puts its first form under; all of an image's at once. */
export function pushSimple(
  registry: TestRegistry,
  repository: string,
  digest: string,
  all: readonly SimpleSignature[],
): void {
  const layers = all.map(({ payload, signature, annotations }) => ({
    ...registry.pushBlob(repository, payload, "application/vnd.dev.cosign.simplesigning.v1+json"),
    annotations: { "dev.cosignproject.cosign/signature": signature.toString("base64"), ...annotations },
  }));
  const config = registry.pushBlob(repository, Buffer.from("{}"), "application/vnd.oci.image.config.v1+json");
  registry.pushManifest(repository, { config, layers }, `${digest.replace(":", "-")}.sig`);
}

export function signSimple(
  registry: TestRegistry,
  repository: string,
  digest: string,
  key: SigningKey,
): void {
  const payload = simplePayload(digest);
  pushSimple(registry, repository, digest, [{ payload, signature: signatureBy(key, payload) }]);
}

export const inToto = "application/vnd.in-toto+json";

/** What cosign signs in its second form. */
export function statement(digest: string, predicateType = "https://sigstore.dev/cosign/sign/v1"): Buffer {
  const subject = [{ digest: { sha256: digest.slice("sha256:".length) } }];
  return Buffer.from(
    JSON.stringify({ _type: "https://in-toto.io/Statement/v1", subject, predicateType, predicate: {} }),
  );
}

/** DSSE v1, pre-authentication encoding. */
export function preAuthentication(payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${inToto.length} ${inToto} ${payload.length} `), payload]);
}

const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json";

export function pushBundle(registry: TestRegistry, repository: string, digest: string, bundle: object): void {
  const layer = registry.pushBlob(repository, Buffer.from(JSON.stringify(bundle)), bundleType);
  const config = registry.pushBlob(repository, Buffer.from("{}"), "application/vnd.oci.empty.v1+json");
  const subject = { mediaType: "application/vnd.oci.image.manifest.v1+json", digest, size: 1 };
  registry.pushManifest(repository, { artifactType: bundleType, config, layers: [layer], subject });
}

export function signBundle(
  registry: TestRegistry,
  repository: string,
  digest: string,
  key: SigningKey,
  payload = statement(digest),
): void {
  const sig = signatureBy(key, preAuthentication(payload)).toString("base64");
  pushBundle(registry, repository, digest, {
    mediaType: bundleType,
    verificationMaterial: { publicKey: { hint: digestOf(Buffer.from(key.publicKeyPem)) }, tlogEntries: [] },
    dsseEnvelope: { payload: payload.toString("base64"), payloadType: inToto, signatures: [{ sig }] },
  });
}
