/** Certificates, log entries and timestamps as Sigstore's own test services make them (@sigstore/mock). */
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { VerifyImagesSpec } from "@shieldx/crds";
import { initializeCA, initializeTLog, initializeTSA } from "@sigstore/mock";
import { beforeAll, describe, expect, it } from "vitest";
import { inToto, preAuthentication, simplePayload, statement } from "../../../testing/registry/signing.ts";
import type { ManifestDocument } from "../registry/documents.ts";
import { compileImages } from "../rules.ts";
import { type FoundSignature, signaturesOf } from "./found.ts";
import { verifySignature } from "./verify.ts";

const ecKeys = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
const pem = (label: string, der: Uint8Array): string =>
  `-----BEGIN ${label}-----\n${Buffer.from(der).toString("base64")}\n-----END ${label}-----\n`;
const der = (view: ArrayBufferView): Buffer => Buffer.from(view.buffer, view.byteOffset, view.byteLength);
const publicPem = (key: KeyObject) => key.export({ type: "spki", format: "pem" }).toString();

const digest = `sha256:${"a".repeat(64)}`;
const subject = "https://github.com/example/app/.github/workflows/release.yml@refs/tags/v1";
const issuer = "https://token.actions.githubusercontent.com";
const issuerV2 = "1.3.6.1.4.1.57264.1.8";
const hour = 3_600_000;

type CA = Awaited<ReturnType<typeof initializeCA>>;
let ca: CA;
let otherCa: CA;
let tlog: Awaited<ReturnType<typeof initializeTLog>>;
let tsa: Awaited<ReturnType<typeof initializeTSA>>;
const logKeys = ecKeys();

beforeAll(async () => {
  ca = await initializeCA(ecKeys());
  otherCa = await initializeCA(ecKeys());
  tlog = await initializeTLog("https://rekor.example", logKeys);
  tsa = await initializeTSA(ecKeys());
});

interface Signer {
  readonly privateKey: KeyObject;
  readonly certificate: Buffer;
}

async function signer(
  of: CA,
  name = subject,
  extensions = [{ oid: issuerV2, value: issuer }],
): Promise<Signer> {
  const { publicKey, privateKey } = ecKeys();
  const spki = publicKey.export({ type: "spki", format: "der" });
  const certificate = der(
    await of.issueCertificate({ publicKey: Buffer.from(spki), subjectAltName: name, extensions }),
  );
  return { privateKey, certificate };
}

/** The log's entry of a signature, as `cosign` sends it (hashedrekord 0.0.1). */
async function logged(signed: Buffer, signature: Buffer, { certificate }: Signer) {
  const entries = await tlog.log({
    apiVersion: "0.0.1",
    kind: "hashedrekord",
    spec: {
      data: { hash: { algorithm: "sha256", value: createHash("sha256").update(signed).digest("hex") } },
      signature: {
        content: signature.toString("base64"),
        publicKey: { content: Buffer.from(pem("CERTIFICATE", certificate)).toString("base64") },
      },
    },
  });
  const [entry] = Object.values(entries) as unknown as LogEntry[];
  if (entry === undefined) throw new Error("no entry");
  return entry;
}

async function stamped(signature: Buffer): Promise<string> {
  const artifactHash = createHash("sha256").update(signature).digest();
  const asked = {
    artifactHash,
    hashAlgorithmOID: "2.16.840.1.101.3.4.2.1",
    nonce: 1,
    policyOID: "1.2.3.4",
    certReq: true,
  };
  return der(await tsa.timestamp(asked)).toString("base64");
}

interface Proofs {
  readonly log?: boolean;
  readonly stamp?: boolean;
  /** What is stored instead, in part. */
  readonly forged?: Readonly<Record<string, string>>;
  readonly change?: (entry: Entry) => void;
}

/** Cosign's first form, as it is found. */
async function simple(
  by: Signer,
  { log = false, stamp = false, forged = {}, change = () => undefined }: Proofs = {},
): Promise<FoundSignature> {
  const payload = simplePayload(digest);
  const signature = sign("sha256", payload, by.privateKey);
  const annotations: Record<string, string> = {
    "dev.cosignproject.cosign/signature": signature.toString("base64"),
    "dev.sigstore.cosign/certificate": pem("CERTIFICATE", by.certificate),
  };
  if (log) {
    const { body, integratedTime, logIndex, logID, verification } = await logged(payload, signature, by);
    const entry = {
      SignedEntryTimestamp: verification?.signedEntryTimestamp ?? "",
      Payload: { body, integratedTime, logIndex, logID },
    };
    change(entry);
    annotations["dev.sigstore.cosign/bundle"] = JSON.stringify(entry);
  }
  if (stamp)
    annotations["dev.sigstore.cosign/rfc3161timestamp"] = JSON.stringify({
      SignedRFC3161Timestamp: await stamped(signature),
    });
  const layer = {
    mediaType: "application/vnd.dev.cosign.simplesigning.v1+json",
    annotations: { ...annotations, ...forged },
  };
  return await found({ layers: [layer] }, payload);
}

/** Cosign's second form, as it is found, with a timestamp. */
async function bundled(
  by: Signer,
  material: (certificate: string) => object,
  mediaType = "application/vnd.dev.sigstore.bundle.v0.3+json",
): Promise<FoundSignature> {
  const payload = statement(digest);
  const signature = sign("sha256", preAuthentication(payload), by.privateKey);
  const bundle = {
    mediaType,
    verificationMaterial: {
      ...material(by.certificate.toString("base64")),
      tlogEntries: [],
      timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp: await stamped(signature) }] },
    },
    dsseEnvelope: {
      payload: payload.toString("base64"),
      payloadType: inToto,
      signatures: [{ sig: signature.toString("base64"), keyid: "" }],
    },
  };
  return await found(undefined, Buffer.from(JSON.stringify(bundle)));
}

async function found(tagged: { layers: object[] } | undefined, blob: Buffer): Promise<FoundSignature> {
  const type = "application/vnd.dev.sigstore.bundle.v0.3+json";
  const document = (members: object): ManifestDocument => {
    const withDigest = (item: object) => {
      const { annotations = {} } = item as { annotations?: Record<string, string> };
      return { ...item, digest, size: 1, annotations: new Map(Object.entries(annotations)) };
    };
    const { layers = [], manifests = [] } = members as { layers?: object[]; manifests?: object[] };
    const all = { layers: layers.map(withDigest), manifests: manifests.map(withDigest) };
    return { mediaType: "", artifactType: undefined, ...all } as unknown as ManifestDocument;
  };
  const reader = {
    manifest: async (of: string) => {
      if (of.endsWith(".sig")) return tagged && document(tagged);
      return document({ layers: [{ mediaType: type }] });
    },
    blob: async () => blob,
    referrers: async () => (tagged ? undefined : document({ manifests: [{ artifactType: type }] })),
  };
  for await (const signature of signaturesOf(reader, digest)) return signature;
  throw new Error("nothing was found");
}

type Certificates = NonNullable<VerifyImagesSpec["rules"][number]["certificates"]>;

function rule(certificates: Partial<Certificates> = {}) {
  const of = {
    roots: pem("CERTIFICATE", der(ca.rootCertificate)),
    identities: [{ subject, issuer }],
    ...certificates,
  };
  const rules = [{ name: "a", images: ["**"], certificates: of }];
  const [compiled] = compileImages(
    { rules, otherImages: "Allow", pinDigest: true, timeoutSeconds: 1 },
    true,
  ).rules;
  if (compiled === undefined) throw new Error("no rule");
  return compiled;
}
const logs = () => ({ transparencyLogs: [publicPem(logKeys.publicKey)] });
const authorities = () => ({
  timestampAuthorities: [
    pem("CERTIFICATE", der(tsa.intCertificate)) + pem("CERTIFICATE", der(tsa.rootCertificate)),
  ],
});
const verdict = async (signature: FoundSignature, of: ReturnType<typeof rule>, nowMs = Date.now()) => {
  const said = await verifySignature(signature, of, digest, nowMs);
  return said.kind === "good" ? said.signer : `bad: ${said.problem}`;
};
const good = `${subject} (${issuer})`;

describe("a signature by a certificate", () => {
  it("is good while the certificate is valid, where nothing proves when it was made", async () => {
    const signature = await simple(await signer(ca));
    expect(await verdict(signature, rule())).toBe(good);
    const said = await verifySignature(signature, rule(), digest, Date.now());
    expect(said).toMatchObject({ untilMs: expect.any(Number) });
    expect(await verdict(signature, rule(), Date.now() + hour)).toMatch(
      /^bad: its certificate was valid until .* only: add transparencyLogs/,
    );
    expect(await verdict(signature, rule(), Date.now() - hour)).toMatch(
      /^bad: its certificate was valid until/,
    );
  });

  it("is good for ever where a log, an authority, or both prove that it was made while the certificate was valid", async () => {
    const by = await signer(ca);
    const late = Date.now() + 1_000 * hour;
    const both = await simple(by, { log: true, stamp: true });
    for (const proofs of [logs(), authorities(), { ...logs(), ...authorities() }])
      expect(await verdict(both, rule(proofs), late)).toBe(good);
    // What is asked for has to be there, and what nobody asked for does not matter.
    expect(await verdict(await simple(by, { stamp: true }), rule(logs()))).toBe(
      "bad: it carries no proof of a transparency log",
    );
    expect(await verdict(await simple(by, { log: true }), rule(authorities()))).toBe(
      "bad: it carries no timestamp of an authority",
    );
    expect(await verdict(await simple(by, { log: true }), rule({ ...logs(), ...authorities() }))).toContain(
      "no timestamp",
    );
    const strangers = { transparencyLogs: [publicPem(ecKeys().publicKey)] };
    expect(await verdict(both, rule(strangers))).toMatch(/^bad: /);
    const others = { timestampAuthorities: [pem("CERTIFICATE", der(otherCa.rootCertificate))] };
    expect(await verdict(both, rule(others))).toMatch(/^bad: /);
  });

  it("is not good by a log's entry of another signature, or one that was changed", async () => {
    const by = await signer(ca);
    const { body, integratedTime, logIndex, logID, verification } = await logged(
      Buffer.from("x"),
      Buffer.from("y"),
      by,
    );
    const entry = {
      SignedEntryTimestamp: verification?.signedEntryTimestamp,
      Payload: { body, integratedTime, logIndex, logID },
    };
    const foreign = await simple(by, { forged: { "dev.sigstore.cosign/bundle": JSON.stringify(entry) } });
    expect(await verdict(foreign, rule(logs()))).toMatch(/^bad: /);
    const changes: ((changed: Entry) => void)[] = [
      ({ Payload }) => {
        Payload.integratedTime += 1;
      },
      (changed) => {
        changed.SignedEntryTimestamp = "AAAA";
      },
      ({ Payload }) => {
        Payload.body = "bm9uc2Vuc2U=";
      },
    ];
    for (const change of changes)
      expect(await verdict(await simple(by, { log: true, change }), rule(logs()))).toMatch(/^bad: /);
    const nothing = { "dev.sigstore.cosign/bundle": '{"Payload":null}' };
    expect(await verdict(await simple(by, { forged: nothing }), rule(logs()))).toMatch(/^bad: /);
  });

  it("is for who is named, by the issuer who is named", async () => {
    const of = (name: string, extensions?: Parameters<typeof signer>[2]) =>
      signer(ca, name, extensions).then((by) => simple(by));
    expect(await verdict(await of("https://evil.example/x"), rule())).toBe(
      `bad: it is by https://evil.example/x (${issuer})`,
    );
    expect(
      await verdict(await of(subject, [{ oid: issuerV2, value: "https://evil.example" }]), rule()),
    ).toContain("bad: it is by");
    expect(await verdict(await of(subject, []), rule())).toContain("bad: it is by");
    const first = [{ oid: "1.3.6.1.4.1.57264.1.1", value: issuer, legacy: true }];
    expect(await verdict(await of(subject, first), rule())).toBe(good);
    // Without an issuer it is for an authority that names none.
    const own = rule({ identities: [{ subject }] });
    expect(await verdict(await of(subject, []), own)).toBe(subject);
    expect(await verdict(await of(subject), own)).toContain("bad: it is by");
    const expression = "https://github\\.com/example/[^/]+/\\.github/workflows/release\\.yml@refs/tags/v.+";
    const byExpression = rule({
      identities: [{ subjectRegExp: expression, issuerRegExp: "https://token\\..*" }],
    });
    expect(await verdict(await of(subject), byExpression)).toBe(good);
    expect(
      await verdict(
        await of(`${subject}/../evil`.replace("https://", "https://evil.example/https://")),
        byExpression,
      ),
    ).toContain("bad: it is by");
  });

  it("is not good by another authority, or a certificate that is not the signer's", async () => {
    expect(await verdict(await simple(await signer(otherCa)), rule())).toBe(
      "bad: its certificate is not by an authority in roots",
    );
    expect(await verdict(await simple(await signer(otherCa), { log: true }), rule(logs()))).toMatch(/^bad: /);
    const by = await signer(ca);
    const stolen = { privateKey: ecKeys().privateKey, certificate: by.certificate };
    for (const proofs of [{}, logs()]) {
      const signature = await simple(stolen, { log: true });
      expect(await verdict(signature, rule(proofs))).toBe("bad: its certificate is of another key");
    }
    const root = { privateKey: by.privateKey, certificate: der(ca.rootCertificate) };
    expect(await verdict(await simple(root), rule())).toBe(
      "bad: its certificate is not one for signing code",
    );
    const broken = await simple(by, { forged: { "dev.sigstore.cosign/certificate": "-----BEGIN" } });
    expect(await verdict(broken, rule())).toBe("bad: it has no certificate");
  });

  it("is good in a bundle, which must not name one certificate and be verified by another", async () => {
    const by = await signer(ca);
    const plain = await bundled(by, (rawBytes) => ({ certificate: { rawBytes } }));
    expect(await verdict(plain, rule(authorities()), Date.now() + 1_000 * hour)).toBe(good);
    const evil = await signer(ca, "https://evil.example/x");
    // The newest form has one certificate only.
    const older = "application/vnd.dev.sigstore.bundle+json;version=0.1";
    const ours = by.certificate.toString("base64");
    for (const material of [
      (rawBytes: string) => ({
        certificate: { rawBytes: ours },
        x509CertificateChain: { certificates: [{ rawBytes }] },
      }),
      (rawBytes: string) => ({
        certificate: { rawBytes },
        x509CertificateChain: { certificates: [{ rawBytes: ours }] },
      }),
      (rawBytes: string) => ({ x509CertificateChain: { certificates: [{ rawBytes: ours }, { rawBytes }] } }),
    ])
      for (const proofs of [{}, authorities()])
        expect(await verdict(await bundled(evil, material, older), rule(proofs))).toMatch(/^bad: /);
    const mixed = (rawBytes: string) => ({
      certificate: { rawBytes },
      x509CertificateChain: { certificates: [{ rawBytes: evil.certificate.toString("base64") }] },
    });
    expect(await verdict(await bundled(by, mixed, older), rule(authorities()))).toBe(
      "bad: its certificates contradict one another",
    );
  });
});

/** As Rekor answers (`/api/v1/log/entries`). */
interface LogEntry {
  readonly body: string;
  readonly integratedTime: number;
  readonly logIndex: number;
  readonly logID: string;
  readonly verification?: { readonly signedEntryTimestamp?: string };
}

interface Entry {
  SignedEntryTimestamp: string;
  Payload: { body: string; integratedTime: number };
}
