import { WEBHOOK_SERVICE } from "@shieldx/crds";
import {
  type Desired,
  daysLeft,
  type Observations,
  sameBundle,
  storeTrustBundle,
  type TrustBundleOptions,
  type TrustBundleState,
  tlsSecretEntries,
} from "@shieldx/pki";
import type { WebhookAddress } from "../webhook-configuration/decide.ts";
import { BUNDLE_ENTRY } from "./bundle-entry.ts";

const DAY_MS = 86_400_000;
export const CA_LIFETIME_MS = 2 * 365 * DAY_MS;
export const LEAF_LIFETIME_MS = 30 * DAY_MS;

/** Names the webhook's leaf must carry: its Service, and the host's address when it runs on one. */
export function certificateOptions(address: WebhookAddress, namespace: string): TrustBundleOptions {
  const service = `${WEBHOOK_SERVICE}.${namespace}.svc`;
  const hosts =
    address.kind === "url" ? [address.admit, address.probe].map((url) => new URL(url).hostname) : [];
  const bare = [...new Set(hosts.map((host) => host.replace(/^\[|\]$/g, "")))];
  const isIp = (host: string) => /^[\d.]+$/.test(host) || host.includes(":");
  return {
    commonName: "ShieldX webhook CA",
    dnsNames: [service, `${service}.cluster.local`, ...bare.filter((host) => !isIp(host))],
    ipAddresses: bare.filter(isIp),
    caLifetimeMs: CA_LIFETIME_MS,
    leafLifetimeMs: LEAF_LIFETIME_MS,
  };
}

/** Entries of the two Secrets, base64 as a Secret's `data` holds them. */
export function secretData(state: TrustBundleState, desired: Desired): { ca: SecretData; tls: SecretData } {
  return {
    ca: encode({ ...storeTrustBundle(state), [BUNDLE_ENTRY]: desired.caBundle }),
    tls: encode(tlsSecretEntries(desired)),
  };
}

export type SecretData = Readonly<Record<string, string>>;

function encode(entries: Readonly<Record<string, string>>): SecretData {
  return Object.fromEntries(
    Object.entries(entries).map(([key, text]) => [key, Buffer.from(text, "utf8").toString("base64")]),
  );
}

export function decode(data: SecretData | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(data ?? {}).map(([key, value]) => [key, Buffer.from(value, "base64").toString("utf8")]),
  );
}

export function sameData(a: SecretData | undefined, b: SecretData): boolean {
  const keys = Object.keys(a ?? {});
  return keys.length === Object.keys(b).length && keys.every((key) => a?.[key] === b[key]);
}

export interface ProbeTarget {
  readonly server: string;
  readonly configuration: string;
}

/**
 * Handshakes worth trying now: only while a candidate is offered, the bundle is read back and all replicas hold the
 * candidate (before that they can only fail), and only those not yet seen.
 */
export function probesToTry(desired: Desired, observed: Observations): ProbeTarget[] {
  const { candidate } = desired;
  if (candidate === undefined) return [];
  const replicas = observed.replicas ?? [];
  if (replicas.length === 0) return [];
  if (replicas.some((replica) => replica.candidateLeaf !== candidate.fingerprint)) return [];
  const published = Object.entries(observed.configurations ?? {}).filter(([, bundles]) =>
    bundles.every((bundle) => sameBundle(bundle, desired.caBundle)),
  );
  return (observed.servers ?? []).flatMap((server) =>
    published
      .filter(([name]) => observed.probes?.[server]?.[name] !== candidate.fingerprint)
      .map(([configuration]) => ({ server, configuration })),
  );
}

/** The leaf an API server met, from the probe webhook's answer: a SHA-256 in hex. */
export function fingerprintIn(message: string): string | undefined {
  return /\b[0-9a-f]{64}\b/.exec(message)?.[0];
}

/** Days left, by certificate, for the metric. */
export function certificateDays(state: TrustBundleState, now: number): Record<string, number> {
  return {
    ca: daysLeft(state.current, now),
    serving: daysLeft(state.serving, now),
    ...(state.phase === "Stable" ? {} : { "next-ca": daysLeft(state.next, now) }),
  };
}

export interface Announcement {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly note: string;
}

/** What a change of state is worth telling. Fingerprints are public; nothing here shows a key. */
export function announcements(
  before: TrustBundleState | undefined,
  after: TrustBundleState,
  issued: readonly string[],
): { readonly events: Announcement[]; readonly rotated: ("ca" | "serving")[] } {
  const events: Announcement[] = issued.map((because) => ({
    type: "Normal",
    reason: "CertificateIssued",
    note: `issued new certificates: ${because}`,
  }));
  const rotated: ("ca" | "serving")[] = [];
  if (before !== undefined && before.serving.fingerprint !== after.serving.fingerprint) {
    rotated.push("serving");
    events.push({
      type: "Normal",
      reason: "LeafSwitched",
      note: `the webhook serves leaf ${after.serving.fingerprint.slice(0, 16)} from now on`,
    });
  }
  if (before !== undefined && before.phase !== "Stable" && after.phase === "Stable") {
    rotated.push("ca");
    events.push({
      type: "Normal",
      reason: "AuthorityRetired",
      note: `rotation complete: only CA ${after.current.fingerprint.slice(0, 16)} is trusted`,
    });
  }
  return { events, rotated };
}
