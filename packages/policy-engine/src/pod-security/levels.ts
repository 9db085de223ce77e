/** The three profiles of the Pod Security Standards (kubernetes.io/docs/concepts/security/pod-security-standards). */
export type PodSecurityLevel = "privileged" | "baseline" | "restricted";

/** `latest`, or the minor version of Kubernetes whose edition of the standards is meant. */
export type PodSecurityVersion = "latest" | `v1.${number}`;

/** The newest edition this package knows. A later one asked for is judged by this one. */
export const newestKnownMinor = 37;

export const podSecurityLevels: readonly PodSecurityLevel[] = ["privileged", "baseline", "restricted"];

export function isPodSecurityLevel(value: unknown): value is PodSecurityLevel {
  return value === "privileged" || value === "baseline" || value === "restricted";
}

const versionPattern = /^v1\.(0|[1-9][0-9]{0,3})$/;

export function isPodSecurityVersion(value: unknown): value is PodSecurityVersion {
  return value === "latest" || (typeof value === "string" && versionPattern.test(value));
}

/**
 * The minor version whose rules apply. `latest` means the server's own minor, so that a policy does not
 * tighten merely because ShieldX was upgraded; neither may exceed what this package knows.
 *
 * @throws RangeError when `version` is neither `latest` nor `v1.<minor>`.
 */
export function resolveMinor(version: PodSecurityVersion, serverMinor?: number): number {
  if (version === "latest") return clampMinor(serverMinor ?? newestKnownMinor);
  const match = versionPattern.exec(version);
  if (match === null) {
    throw new RangeError(`Pod Security version "${version}" is neither "latest" nor of the form v1.34`);
  }
  return clampMinor(Number(match[1]));
}

function clampMinor(minor: number): number {
  return Math.max(0, Math.min(Math.trunc(minor), newestKnownMinor));
}
