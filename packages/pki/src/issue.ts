// The one import order that works: @peculiar/x509's container asks for Reflect metadata while it loads.
import "reflect-metadata";
import { randomBytes, webcrypto } from "node:crypto";
import { isIP } from "node:net";
import type { Extension, X509Certificate } from "@peculiar/x509";
import * as x509 from "@peculiar/x509";
import type { KeyPair } from "./certificate.ts";
import { readCertificate } from "./certificate.ts";
import { PkiError } from "./errors.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
/** Clocks of a cluster's machines differ; a certificate must be good on the slowest of them at once. */
export const defaultNotBeforeSkewMs = 5 * 60_000;

export interface AuthorityRequest {
  readonly commonName: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** From `now` to notAfter. */
  readonly lifetimeMs: number;
  /** How far notBefore lies before `now`. Default 5 minutes, at most a quarter of the lifetime. */
  readonly notBeforeSkewMs?: number;
  /** How many CAs may stand between this one and a leaf. Default 0: it signs leaves only. */
  readonly pathLength?: number;
}

export interface LeafRequest {
  readonly ca: { readonly certificatePem: string; readonly privateKeyPem: string };
  readonly commonName?: string;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly uris?: readonly string[];
  /** Extended key usage. Default server only. */
  readonly usages?: readonly ("server" | "client")[];
  readonly now: number;
  /** From `now` to notAfter; never beyond the CA's own notAfter. */
  readonly lifetimeMs: number;
  readonly notBeforeSkewMs?: number;
}

/**
 * A new self-signed ECDSA P-256 authority with a random 128-bit serial (RFC 5280 §4.2.1.9 basic constraints).
 * @throws PkiError `request_invalid`
 */
export async function generateCa(request: AuthorityRequest): Promise<KeyPair> {
  requireLifetime(request.lifetimeMs);
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: randomSerial(),
      name: distinguishedName(request.commonName),
      notBefore: seconds(request.now - skew(request)),
      notAfter: seconds(request.now + request.lifetimeMs),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, request.pathLength ?? 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return keyPair(certificate, keys.privateKey);
}

/**
 * A new ECDSA P-256 leaf signed by `ca`.
 * @throws PkiError `request_invalid` without a name, with a malformed one, or when the CA has expired;
 *   `pem_invalid` when the CA is unreadable
 */
export async function issueLeaf(request: LeafRequest): Promise<KeyPair> {
  requireLifetime(request.lifetimeMs);
  const names = subjectAlternativeNames(request);
  const ca = readCertificate(request.ca.certificatePem);
  const notAfterMs = Math.min(request.now + request.lifetimeMs, ca.notAfterMs);
  if (notAfterMs <= request.now) {
    throw new PkiError("request_invalid", `the CA ${ca.subject} has expired and cannot sign a leaf`);
  }
  const keys = await generateKeys();
  const issuer = new x509.X509Certificate(ca.certificatePem);
  const usages = request.usages ?? ["server"];
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: randomSerial(),
      subject: distinguishedName(request.commonName ?? names[0]?.value ?? ""),
      issuer: issuer.subject,
      notBefore: seconds(request.now - skew(request)),
      notAfter: seconds(notAfterMs),
      signingAlgorithm: algorithm,
      publicKey: keys.publicKey,
      signingKey: await signingKey(request.ca.privateKeyPem),
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension(
          usages.map((usage) =>
            usage === "server" ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth,
          ),
        ),
        new x509.SubjectAlternativeNameExtension(names),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
        await authorityKeyIdentifier(issuer),
      ],
    },
    webcrypto,
  );
  return keyPair(certificate, keys.privateKey);
}

/** A short life keeps most of itself ahead, or renewal at two thirds of it would be due at once. */
function skew(request: { notBeforeSkewMs?: number; lifetimeMs: number }): number {
  return request.notBeforeSkewMs ?? Math.min(defaultNotBeforeSkewMs, request.lifetimeMs / 4);
}

function requireLifetime(lifetimeMs: number): void {
  if (!(lifetimeMs >= 1000)) {
    throw new PkiError(
      "request_invalid",
      `lifetimeMs is ${lifetimeMs}; a certificate lives for at least a second`,
    );
  }
}

/** A P-256 key, not tied to a certificate store: extractable, because it has to reach the replicas' Secret. */
function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

async function signingKey(privateKeyPem: string): Promise<webcrypto.CryptoKey> {
  try {
    const der = x509.PemConverter.decodeFirst(privateKeyPem);
    return await webcrypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
  } catch (cause) {
    throw new PkiError("pem_invalid", "the CA's private key is not a PKCS#8 ECDSA P-256 key in PEM", {
      cause,
    });
  }
}

async function authorityKeyIdentifier(issuer: X509Certificate): Promise<Extension> {
  const subjectKey = issuer.getExtension(x509.SubjectKeyIdentifierExtension);
  if (subjectKey !== null) return new x509.AuthorityKeyIdentifierExtension(subjectKey.keyId);
  return x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey, false, webcrypto);
}

/** 128 random bits, positive and without a leading zero octet (RFC 5280 §4.1.2.2: at most 20 octets). */
function randomSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString("hex");
}

/** X.509 times count whole seconds; the earlier one is taken at both ends. */
function seconds(ms: number): Date {
  return new Date(Math.floor(ms / 1000) * 1000);
}

/** RFC 5280 limits a common name to 64 characters; a longer one is cut, names are matched by SAN anyway. */
function distinguishedName(commonName: string): x509.JsonName {
  return [{ CN: [commonName.slice(0, 64)] }];
}

function subjectAlternativeNames(request: LeafRequest): { type: "dns" | "ip" | "url"; value: string }[] {
  for (const name of request.dnsNames) {
    if (
      !/^(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/.test(name)
    ) {
      throw new PkiError("request_invalid", `"${name}" is not a DNS name`);
    }
  }
  for (const address of request.ipAddresses) {
    if (isIP(address) === 0) throw new PkiError("request_invalid", `"${address}" is not an IP address`);
  }
  for (const uri of request.uris ?? []) {
    if (!URL.canParse(uri)) throw new PkiError("request_invalid", `"${uri}" is not a URI`);
  }
  const names = [
    ...request.dnsNames.map((value) => ({ type: "dns" as const, value })),
    ...request.ipAddresses.map((value) => ({ type: "ip" as const, value })),
    ...(request.uris ?? []).map((value) => ({ type: "url" as const, value })),
  ];
  if (names.length === 0)
    throw new PkiError("request_invalid", "a leaf needs at least one DNS name, IP address or URI");
  return names;
}

async function keyPair(certificate: X509Certificate, privateKey: webcrypto.CryptoKey): Promise<KeyPair> {
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", privateKey));
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return {
    ...readCertificate(certificate.toString("pem")),
    privateKeyPem: `-----BEGIN PRIVATE KEY-----\n${lines.join("\n")}\n-----END PRIVATE KEY-----\n`,
  };
}
