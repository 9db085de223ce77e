interface Lifespan {
  readonly fingerprint: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/**
 * When a certificate is to be renewed: at two thirds of its life, up to 5 % of its life earlier. The jitter comes from
 * the certificate's own fingerprint, so it is the same in every process and after every restart.
 */
export function renewalTime(certificate: Lifespan): number {
  const lifeMs = certificate.notAfterMs - certificate.notBeforeMs;
  const parsed = Number.parseInt(certificate.fingerprint.slice(0, 8), 16);
  const jitter = Number.isNaN(parsed) ? 0 : parsed / 2 ** 32;
  return certificate.notBeforeMs + lifeMs * (2 / 3 - 0.05 * jitter);
}

export function isDue(certificate: Lifespan, now: number): boolean {
  return now >= renewalTime(certificate);
}
