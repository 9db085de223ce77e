import type { KeyPair } from "./certificate.ts";
import { readCertificate, readKeyPair } from "./certificate.ts";
import { PkiError } from "./errors.ts";
import type { Authority, Desired, TrustBundlePhase, TrustBundleState } from "./trust-bundle.ts";

export { PkiError } from "./errors.ts";

const stateKey = "state.json";
const formatVersion = 1;

interface StoredState {
  readonly version: number;
  readonly phase: TrustBundlePhase;
  readonly sinceMs: number;
  readonly handledRotation?: string;
  readonly confirmedAtMs?: number;
}

/**
 * The state as the entries of a Secret (text, not yet base64): `state.json`, `ca.crt`, `ca.key` (absent when lost),
 * `serving.crt`, `serving.key`, and during a rotation `next-ca.*` and `candidate.*`.
 */
export function storeTrustBundle(state: TrustBundleState): Record<string, string> {
  const stored: StoredState = {
    version: formatVersion,
    phase: state.phase,
    sinceMs: state.sinceMs,
    ...(state.handledRotation === undefined ? {} : { handledRotation: state.handledRotation }),
    ...(state.phase === "Distribute" && state.confirmedAtMs !== undefined
      ? { confirmedAtMs: state.confirmedAtMs }
      : {}),
  };
  return {
    [stateKey]: JSON.stringify(stored),
    ...entries("ca", state.current),
    ...entries("serving", state.serving),
    ...(state.phase === "Stable" ? {} : entries("next-ca", state.next)),
    ...(state.phase === "Distribute" ? entries("candidate", state.candidate) : {}),
  };
}

/**
 * Reads what `storeTrustBundle` wrote.
 * @throws PkiError `state_invalid` when parts are missing, do not belong together, or a newer version wrote them
 */
export function readTrustBundle(entries: Readonly<Record<string, string>>): TrustBundleState {
  const stored = readState(entries[stateKey]);
  try {
    const caCrt = entries["ca.crt"] ?? "";
    const caKey = entries["ca.key"];
    const current: Authority = caKey === undefined ? readCertificate(caCrt) : readKeyPair(caCrt, caKey);
    const common = {
      sinceMs: stored.sinceMs,
      current,
      serving: pair(entries, "serving"),
      ...(stored.handledRotation === undefined ? {} : { handledRotation: stored.handledRotation }),
    };
    switch (stored.phase) {
      case "Stable":
        return { ...common, phase: "Stable" };
      case "Distribute":
        return {
          ...common,
          phase: "Distribute",
          next: pair(entries, "next-ca"),
          candidate: pair(entries, "candidate"),
          ...(stored.confirmedAtMs === undefined ? {} : { confirmedAtMs: stored.confirmedAtMs }),
        };
      case "Switch":
      case "Retire":
        return { ...common, phase: stored.phase, next: pair(entries, "next-ca") };
      default:
        return stored.phase satisfies never;
    }
  } catch (cause) {
    const why = cause instanceof PkiError ? cause.message : String(cause);
    throw new PkiError(
      "state_invalid",
      `stored trust bundle state (phase ${stored.phase}) is unusable: ${why}`,
      { cause },
    );
  }
}

/** The entries of the Secret the replicas read: `tls.crt`, `tls.key` `ca.crt` and, while distributing, `candidate.crt`, `candidate.key`. */
export function tlsSecretEntries(desired: Desired): Record<string, string> {
  return {
    "tls.crt": desired.serving.certificatePem,
    "tls.key": desired.serving.privateKeyPem,
    // For clients other than API servers, Prometheus among them.
    "ca.crt": desired.caBundle,
    ...(desired.candidate === undefined ? {} : entries("candidate", desired.candidate)),
  };
}

export interface TlsMaterial {
  readonly serving: KeyPair;
  readonly candidate?: KeyPair;
}

/**
 * Reads what `tlsSecretEntries` wrote, or a Secret of type kubernetes.io/tls made by other means.
 * @throws PkiError `pem_invalid`, `key_mismatch`
 */
export function readTlsSecret(entries: Readonly<Record<string, string>>): TlsMaterial {
  const serving = readKeyPair(entries["tls.crt"] ?? "", entries["tls.key"] ?? "");
  const candidateCrt = entries["candidate.crt"];
  if (candidateCrt === undefined) return { serving };
  return { serving, candidate: readKeyPair(candidateCrt, entries["candidate.key"] ?? "") };
}

function entries(name: string, pair: Authority): Record<string, string> {
  return {
    [`${name}.crt`]: pair.certificatePem,
    ...(pair.privateKeyPem === undefined ? {} : { [`${name}.key`]: pair.privateKeyPem }),
  };
}

function pair(stored: Readonly<Record<string, string>>, name: string): KeyPair {
  const [crt, key] = [stored[`${name}.crt`], stored[`${name}.key`]];
  if (crt === undefined || key === undefined)
    throw new PkiError("state_invalid", `${name}.crt or ${name}.key is missing`);
  return readKeyPair(crt, key);
}

function readState(text: string | undefined): StoredState {
  if (text === undefined) throw new PkiError("state_invalid", `the Secret has no entry ${stateKey}`);
  let value: Partial<StoredState>;
  try {
    value = JSON.parse(text) ?? {};
  } catch (cause) {
    throw new PkiError("state_invalid", `${stateKey} is not JSON`, { cause });
  }
  if (value.version !== formatVersion) {
    throw new PkiError(
      "state_invalid",
      `${stateKey} has version ${value.version}; this program reads ${formatVersion}`,
    );
  }
  const { phase, sinceMs } = value;
  if (
    phase === undefined ||
    !["Stable", "Distribute", "Switch", "Retire"].includes(phase) ||
    !Number.isFinite(sinceMs)
  ) {
    throw new PkiError("state_invalid", `${stateKey} names no known phase and time`);
  }
  return { ...value, version: formatVersion, phase, sinceMs: Number(sinceMs) };
}
