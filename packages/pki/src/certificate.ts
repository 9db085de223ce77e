import { createPrivateKey, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { PkiError } from "./errors.ts";

const dayMs = 86_400_000;
const certificateBlock = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g;

/** What a certificate says, read once; times are milliseconds since the epoch. */
export interface CertificateFacts {
  /** SHA-256 over the DER encoding, lower-case hex. */
  readonly fingerprint: string;
  readonly subject: string;
  readonly issuer: string;
  readonly serialNumber: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly isAuthority: boolean;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly uris: readonly string[];
}

/** A certificate with its facts, and the private key unless only the certificate is known. */
export interface Certificate extends CertificateFacts {
  readonly certificatePem: string;
}

export interface KeyPair extends Certificate {
  /** PKCS#8 PEM. Belongs in Secrets made for it and nowhere else. */
  readonly privateKeyPem: string;
}

/** The certificates of a PEM text, one PEM block each, in order. Anything else in the text is skipped. */
export function splitBundle(pem: string): string[] {
  return [...pem.matchAll(certificateBlock)].map((match) => wrap((match[1] ?? "").replace(/\s+/g, "")));
}

function wrap(base64: string): string {
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

/** One PEM text of several certificates, in the given order, each once. */
export function joinBundle(certificates: readonly string[]): string {
  return [...new Set(certificates.flatMap(splitBundle))].join("");
}

/** Whether two PEM texts hold the same certificates, whatever their order, wrapping and comments. */
export function sameBundle(a: string, b: string): boolean {
  const left = new Set(splitBundle(a));
  const right = new Set(splitBundle(b));
  return left.size === right.size && [...left].every((block) => right.has(block));
}

/**
 * Reads the first certificate of a PEM text.
 * @throws PkiError `pem_invalid`
 */
export function readCertificate(pem: string): Certificate {
  const first = splitBundle(pem)[0];
  if (first === undefined) throw new PkiError("pem_invalid", "no CERTIFICATE block found in the PEM text");
  return { certificatePem: first, ...facts(parse(first)) };
}

/**
 * Reads a certificate together with its private key and checks that they belong together.
 * @throws PkiError `pem_invalid`, `key_mismatch`
 */
export function readKeyPair(certificatePem: string, privateKeyPem: string): KeyPair {
  const certificate = readCertificate(certificatePem);
  let matches: boolean;
  try {
    matches = parse(certificate.certificatePem).checkPrivateKey(createPrivateKey(privateKeyPem));
  } catch (cause) {
    throw new PkiError("pem_invalid", `the private key of ${certificate.subject} is not a readable PEM key`, {
      cause,
    });
  }
  if (!matches) {
    throw new PkiError(
      "key_mismatch",
      `the private key does not belong to certificate ${certificate.subject}`,
    );
  }
  return { ...certificate, privateKeyPem };
}

/**
 * SHA-256 of the first certificate's DER encoding, lower-case hex.
 * @throws PkiError `pem_invalid`
 */
export function fingerprint(pem: string): string {
  return readCertificate(pem).fingerprint;
}

/** SHA-256 fingerprint as node:tls prints it ("AB:CD:…") in this package's form. */
export function fingerprintFromColons(colons: string): string {
  return colons.replaceAll(":", "").toLowerCase();
}

/** Days until `notAfter`, with fractions; negative once expired. */
export function daysLeft(certificate: { notAfterMs: number }, now: number): number {
  return (certificate.notAfterMs - now) / dayMs;
}

/** Whether `now` lies within the certificate's validity (RFC 5280 §4.1.2.5, both ends inclusive). */
export function isValidAt(certificate: { notBeforeMs: number; notAfterMs: number }, now: number): boolean {
  return certificate.notBeforeMs <= now && now <= certificate.notAfterMs;
}

/** Whether `authority`'s key signed `certificate`. Says nothing about validity in time. */
export function isSignedBy(certificate: Certificate, authority: Certificate): boolean {
  return parse(certificate.certificatePem).verify(parse(authority.certificatePem).publicKey);
}

/** One spelling for each address: OpenSSL prints IPv6 addresses in full, people do not. */
export function canonicalAddress(address: string): string {
  if (isIP(address) !== 6) return address;
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

function parse(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new PkiError("pem_invalid", "a CERTIFICATE block does not hold a readable X.509 certificate", {
      cause,
    });
  }
}

function facts(certificate: X509Certificate): CertificateFacts {
  const names = alternativeNames(certificate.subjectAltName);
  return {
    fingerprint: fingerprintFromColons(certificate.fingerprint256),
    subject: certificate.subject,
    issuer: certificate.issuer,
    serialNumber: certificate.serialNumber.toLowerCase(),
    notBeforeMs: certificate.validFromDate.getTime(),
    notAfterMs: certificate.validToDate.getTime(),
    isAuthority: certificate.ca,
    dnsNames: names.filter(([kind]) => kind === "DNS").map(([, value]) => value),
    ipAddresses: names.filter(([kind]) => kind === "IP Address").map(([, value]) => canonicalAddress(value)),
    uris: names.filter(([kind]) => kind === "URI").map(([, value]) => value),
  };
}

/** node:crypto prints names as "DNS:a, IP Address:b"; a name with a comma in it is printed as a JSON string. */
function alternativeNames(text: string | undefined): [kind: string, value: string][] {
  const found: [string, string][] = [];
  for (const match of (text ?? "").matchAll(/(DNS|IP Address|URI):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g)) {
    const value = match[2] ?? "";
    found.push([match[1] ?? "", value.startsWith('"') ? String(JSON.parse(value)) : value]);
  }
  return found;
}
