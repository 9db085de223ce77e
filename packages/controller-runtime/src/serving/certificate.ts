import { readFile } from "node:fs/promises";
import type { Clock } from "../clock/clock.ts";
import { selfSignedCertificate } from "./self-signed.ts";

/** PEM chain and key of a server. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Asked at start and once a minute: the certificate to serve now. */
export type CertificateSource = () => Promise<Certificate>;

/** A certificate in files that somebody renews: cert-manager, a mounted Secret. */
export function certificateFiles(certFile: string, keyFile: string): CertificateSource {
  return async () => {
    const [cert, key] = await Promise.all([readFile(certFile, "utf8"), readFile(keyFile, "utf8")]);
    return { cert, key };
  };
}

const lifetimeMs = 365 * 24 * 3_600_000;

/**
 * A certificate signed by its own key, made anew at half its life. Good against eavesdroppers only: scrapers
 * must be told not to verify it (`insecure_skip_verify`); give a real one where that is not enough.
 */
export function selfSigned(clock: Clock, hosts: readonly string[]): CertificateSource {
  let current: { certificate: Certificate; renewAt: number } | undefined;
  return async () => {
    const now = clock.now();
    if (current === undefined || now >= current.renewAt) {
      const certificate = selfSignedCertificate({
        hosts,
        notBeforeMs: now - 300_000,
        notAfterMs: now + lifetimeMs,
      });
      current = { certificate, renewAt: now + lifetimeMs / 2 };
    }
    return current.certificate;
  };
}
