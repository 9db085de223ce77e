/**
 * The keys and certificates of one cluster: its own authorities for the API, for etcd and for the front proxy (as
 * kubeadm separates them), ECDSA P-256 throughout. See https://kubernetes.io/docs/setup/best-practices/certificates/
 */
import "reflect-metadata";
import { generateKeyPairSync, KeyObject, webcrypto } from "node:crypto";
import { isIPv6 } from "node:net";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const defaultLifetimeMs = 90 * 24 * 3_600_000;
/** Certificates start in the past, so that a clock a little behind does not refuse them. */
const skewMs = 10 * 60_000;

export interface KeyPairPem {
  readonly certificate: string;
  readonly key: string;
}

export interface Subject {
  readonly commonName: string;
  /** Kubernetes reads groups from here. */
  readonly organizations?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  /** Default 90 days. */
  readonly lifetimeMs?: number;
}

export type Usage = "client" | "server" | "both";

export class Authority {
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly #certificate: X509Certificate;
  readonly #key: webcrypto.CryptoKey;

  private constructor(certificate: X509Certificate, key: webcrypto.CryptoKey) {
    this.#certificate = certificate;
    this.#key = key;
    this.certificatePem = `${certificate.toString("pem")}\n`;
    this.keyPem = keyPem(key);
  }

  static async create(commonName: string): Promise<Authority> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const certificate = await X509CertificateGenerator.createSelfSigned(
      {
        ...validity(),
        name: [{ CN: [commonName] }],
        keys,
        signingAlgorithm: algorithm,
        extensions: [
          new BasicConstraintsExtension(true, undefined, true),
          new KeyUsagesExtension(
            KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign | KeyUsageFlags.digitalSignature,
            true,
          ),
        ],
      },
      webcrypto,
    );
    return new Authority(certificate, keys.privateKey);
  }

  async issue(subject: Subject, usage: Usage): Promise<KeyPairPem> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const purposes = { client: [ExtendedKeyUsage.clientAuth], server: [ExtendedKeyUsage.serverAuth] };
    const extensions: Extension[] = [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(
        usage === "both" ? [...purposes.client, ...purposes.server] : purposes[usage],
      ),
    ];
    const names = [
      ...(subject.dnsNames ?? []).map((value) => ({ type: "dns" as const, value })),
      ...(subject.ipAddresses ?? []).map((value) => ({ type: "ip" as const, value })),
    ];
    if (names.length > 0) extensions.push(new SubjectAlternativeNameExtension(names));
    const certificate = await X509CertificateGenerator.create(
      {
        ...validity(subject.lifetimeMs),
        subject: [
          ...(subject.organizations ?? []).map((organization) => ({ O: [organization] })),
          { CN: [subject.commonName] },
        ],
        issuer: this.#certificate.subjectName,
        publicKey: keys.publicKey,
        signingKey: this.#key,
        signingAlgorithm: algorithm,
        extensions,
      },
      webcrypto,
    );
    return { certificate: `${certificate.toString("pem")}\n`, key: keyPem(keys.privateKey) };
  }
}

/** The pair that signs and verifies ServiceAccount tokens (ES256). */
export function serviceAccountKeys(): { readonly privateKey: string; readonly publicKey: string } {
  return generateKeyPairSync("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
}

/** Names and addresses under which an API server is reached. */
export function apiServerNames(
  clusterDomain: string,
  serviceAddress: string,
  addresses: readonly string[],
): {
  dnsNames: string[];
  ipAddresses: string[];
} {
  const service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"];
  const ips = new Set([serviceAddress, "127.0.0.1", ...addresses]);
  return {
    dnsNames: [...service, `kubernetes.default.svc.${clusterDomain}`, "localhost"],
    ipAddresses: [...ips],
  };
}

/** An address as the host part of a URL (RFC 3986, section 3.2.2). */
export function urlHost(address: string): string {
  return isIPv6(address) ? `[${address}]` : address;
}

function validity(lifetimeMs = defaultLifetimeMs): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - skewMs), notAfter: new Date(now + lifetimeMs) };
}

function keyPem(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ type: "pkcs8", format: "pem" }).toString();
}
