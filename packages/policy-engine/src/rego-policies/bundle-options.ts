/** What `spec.rego.bundle` says, as a source of bundles takes it. */
import { type BundleSpec, parseDurationMs } from "@shieldx/crds";
import { type BundleLimits, type BundleVerifier, bundleVerifier } from "../rego/bundle/index.ts";
import {
  type BundleCredentials,
  type BundleSourceOptions,
  defaultPolling,
} from "../rego/bundle-source/index.ts";

/** Reads one key of a Secret in ShieldX's own namespace. @throws Error saying what to do */
export type ReadSecret = (name: string, key: string) => Promise<string>;

/**
 * Reading a bundle takes the process for itself, some 15 ms a megabyte, and requests wait meanwhile; policies are small, and
 * larger data is better kept where it is.
 */
export const largestPolicyBundleMiB = 32;

/** @param largestMiB of a bundle as a tar archive; what else bounds a bundle grows with it */
export function policyBundleLimits(largestMiB = largestPolicyBundleMiB): Partial<BundleLimits> {
  const inflatedBytes = largestMiB << 20;
  return {
    compressedBytes: inflatedBytes >> 2,
    inflatedBytes,
    values: Math.max(1_000_000, Math.floor(inflatedBytes / leastValueBytes)),
  };
}

/** As large data has them at the least: fewer characters for each value are a way to fill the memory. */
const leastValueBytes = 12;

export function bundleOptions(
  { url, polling, caSecretRef, tokenSecretRef, verification }: BundleSpec,
  readSecret: ReadSecret,
  largestMiB?: number,
): BundleSourceOptions {
  const read = (reference: SecretReference | undefined) =>
    reference === undefined ? undefined : readSecret(reference.name, reference.key);
  const credentials = async (): Promise<BundleCredentials> => {
    const [ca, token] = await Promise.all([read(caSecretRef), read(tokenSecretRef)]);
    return {
      ...(ca === undefined ? {} : { ca }),
      ...(token === undefined ? {} : { bearerToken: token.trim() }),
    };
  };
  return {
    url,
    credentials,
    limits: policyBundleLimits(largestMiB),
    polling: pollingOf(polling),
    ...(verification === undefined ? {} : { verifier: () => verifierOf(verification, readSecret) }),
  };
}

interface SecretReference {
  readonly name: string;
  readonly key: string;
}

function pollingOf({ minDelay, maxDelay, longPoll }: NonNullable<BundleSpec["polling"]> = {}) {
  const { minDelayMs, maxDelayMs } = defaultPolling;
  const least = minDelay === undefined ? minDelayMs : parseDurationMs(minDelay);
  const most = maxDelay === undefined ? Math.max(least, maxDelayMs) : parseDurationMs(maxDelay);
  return {
    minDelayMs: least,
    maxDelayMs: most,
    ...(longPoll === undefined ? {} : { longPollSeconds: parseDurationMs(longPoll) / 1_000 }),
  };
}

async function verifierOf(
  { keys, keyId, scope }: NonNullable<BundleSpec["verification"]>,
  readSecret: ReadSecret,
): Promise<BundleVerifier> {
  const read = await Promise.all(
    keys.map(async ({ id, algorithm, scope: ofKey, secretRef }) => {
      const key = await readSecret(secretRef.name, secretRef.key);
      return [id, { key, algorithm, ...(ofKey === undefined ? {} : { scope: ofKey }) }] as const;
    }),
  );
  return bundleVerifier({
    keys: Object.fromEntries(read),
    ...(keyId === undefined ? {} : { keyId }),
    ...(scope === undefined ? {} : { scope }),
  });
}
