import { bundleGate, probeGate, replicaGate } from "./acknowledgements.ts";
import type { Certificate, KeyPair } from "./certificate.ts";
import { canonicalAddress, isValidAt, joinBundle } from "./certificate.ts";
import { isDue, renewalTime } from "./renewal.ts";

/** An authority in the bundle; without its key (found published, key lost) it is trusted but signs nothing. */
export interface Authority extends Certificate {
  readonly privateKeyPem?: string;
}

interface Common {
  /** When this phase was entered, milliseconds since the epoch. */
  readonly sinceMs: number;
  readonly current: Authority;
  readonly serving: KeyPair;
  /** The last value of the rotate annotation that was obeyed. */
  readonly handledRotation?: string;
}

/** One authority, everybody trusts it, the serving leaf comes from it. */
export interface StableState extends Common {
  readonly phase: "Stable";
}

/** Both authorities are published; the candidate leaf is offered on the probe port until everybody is seen to trust it. */
export interface DistributeState extends Common {
  readonly phase: "Distribute";
  readonly next: KeyPair;
  readonly candidate: KeyPair;
  /** Since when every acknowledgement but the wait has been there (`handshakes: { waitMs }` only). */
  readonly confirmedAtMs?: number;
}

/** `Switch`: replicas move to the new leaf. `Retire`: the old authority leaves the published bundle. */
export interface HandoverState extends Common {
  readonly phase: "Switch" | "Retire";
  readonly next: KeyPair;
}

export type TrustBundleState = StableState | DistributeState | HandoverState;
export type TrustBundlePhase = TrustBundleState["phase"];

export interface Observations {
  /** caBundle (PEM) of every entry of every webhook configuration as read from the API server, by configuration name. */
  readonly configurations?: Readonly<Record<string, readonly string[]>>;
  /** Endpoints of the API servers, for example "10.0.0.3:6443". Behind one shared address: that address. */
  readonly servers?: readonly string[];
  /** `probes[server][configuration]`: fingerprint of the leaf that this server accepted on the probe port. */
  readonly probes?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** "per-server" (default), or for API servers hidden behind one address: how long to wait after the read-back. */
  readonly handshakes?: "per-server" | { readonly waitMs: number };
  /** Every replica that may receive requests, with the leaf fingerprints it reports. */
  readonly replicas?: readonly ReplicaReport[];
  /** Value of the `shieldx.io/rotate` annotation: `ca` or `leaf`, with an optional nonce (`ca:2027-01-01`). */
  readonly rotate?: string;
}

export interface ReplicaReport {
  readonly name: string;
  readonly servingLeaf?: string;
  readonly candidateLeaf?: string;
}

export interface TrustBundleOptions {
  readonly commonName: string;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly caLifetimeMs: number;
  readonly leafLifetimeMs: number;
}

/** What everybody is to see now: a function of the state alone, so repeating it is harmless. */
export interface Desired {
  /** PEM for every caBundle. */
  readonly caBundle: string;
  readonly serving: KeyPair;
  readonly candidate?: KeyPair;
}

/**
 * Material the step needs before it can go on:
 * `replacement`: nothing usable is left, new authority and leaf at once; `rotation`: next authority and candidate;
 * `serving`, `candidate`: a leaf from the authority that signs that place.
 */
export type IssueRequest =
  | { readonly what: "replacement" | "rotation"; readonly because: string; readonly handles?: string }
  | {
      readonly what: "serving" | "candidate";
      readonly because: string;
      readonly handles?: string;
      readonly signer: KeyPair;
    };

export interface TrustBundleStep {
  /** To be stored before `desired` is acted upon. The same object as the input when nothing changed. */
  readonly state: TrustBundleState;
  readonly desired: Desired;
  /** Sentences for people: what this phase is still waiting for. */
  readonly waitingFor: readonly string[];
  readonly requeueAfterMs: number;
  /** Set when key material is needed; `advanceTrustBundle` supplies it. */
  readonly issue?: IssueRequest;
}

const pollMs = 1_000;
const longestRequeueMs = 6 * 3_600_000;

/**
 * One step of the trust bundle: Stable → Distribute → Switch → Retire → Stable. Pure and idempotent: it makes at most
 * one transition, may be repeated or cut off anywhere, and missing or outdated observations only delay it.
 * The safety rule: a leaf is served only while every API server in `observed.servers` was seen to accept its authority,
 * and an authority is withdrawn only when every replica reports a leaf of the other one.
 */
export function trustBundleStep(
  state: TrustBundleState,
  observed: Observations,
  now: number,
  options: TrustBundleOptions,
): TrustBundleStep {
  const issue = neededMaterial(state, observed, now, options);
  if (issue !== undefined) return { ...result(state, [issue.because], pollMs), issue };
  switch (state.phase) {
    case "Stable":
      return stable(state, observed, now);
    case "Distribute":
      return distribute(state, observed, now);
    case "Switch": {
      const waiting = replicaGate(observed, "servingLeaf", state.serving.fingerprint);
      if (waiting.length > 0) return result(state, waiting, pollMs);
      return result({ ...state, phase: "Retire", sinceMs: now }, [], 0);
    }
    case "Retire": {
      const waiting = bundleGate(observed, desiredOf(state).caBundle);
      if (waiting.length > 0) return result(state, waiting, pollMs);
      const { next, ...rest } = state;
      return result({ ...rest, phase: "Stable", sinceMs: now, current: next }, [], 0);
    }
    default:
      return state satisfies never;
  }
}

/** What is to be published and served in this state. */
export function desiredOf(state: TrustBundleState): Desired {
  switch (state.phase) {
    case "Stable":
      return { caBundle: joinBundle([state.current.certificatePem]), serving: state.serving };
    case "Distribute":
      return { caBundle: both(state), serving: state.serving, candidate: state.candidate };
    case "Switch":
      return { caBundle: both(state), serving: state.serving };
    case "Retire":
      return { caBundle: joinBundle([state.next.certificatePem]), serving: state.serving };
    default:
      return state satisfies never;
  }
}

function both(state: DistributeState | HandoverState): string {
  return joinBundle([state.current.certificatePem, state.next.certificatePem]);
}

function stable(state: StableState, observed: Observations, now: number): TrustBundleStep {
  const waiting = [
    ...unknownRotation(state, observed.rotate),
    ...(observed.configurations === undefined ? [] : bundleGate(observed, desiredOf(state).caBundle)),
    ...(observed.replicas?.length ? replicaGate(observed, "servingLeaf", state.serving.fingerprint) : []),
  ];
  const nextDueMs = Math.min(renewalTime(state.serving), renewalTime(state.current)) - now;
  const requeue = Math.max(pollMs, Math.min(longestRequeueMs, nextDueMs));
  return result(state, waiting, waiting.length > 0 ? Math.min(5 * pollMs, requeue) : requeue);
}

function distribute(state: DistributeState, observed: Observations, now: number): TrustBundleStep {
  // Nobody can accept the old leaf any more: the candidate can only be better.
  if (!servingIsUsable(state, now)) return result(switched(state, now), [], 0);
  const waiting = [
    ...bundleGate(observed, desiredOf(state).caBundle),
    ...replicaGate(observed, "candidateLeaf", state.candidate.fingerprint),
    ...probeGate(observed, state.candidate.fingerprint),
  ];
  const { confirmedAtMs, ...unconfirmed } = state;
  if (waiting.length > 0) return result(confirmedAtMs === undefined ? state : unconfirmed, waiting, pollMs);
  const mode = observed.handshakes ?? "per-server";
  if (mode === "per-server") return result(switched(state, now), [], 0);
  // A clock set back must not prolong the wait without end, one set forward must not be trusted for what it skipped
  // before the first confirmation: hence the time is stored and never lies in the future.
  const since = confirmedAtMs === undefined || confirmedAtMs > now ? now : confirmedAtMs;
  const leftMs = since + mode.waitMs - now;
  if (leftMs <= 0) return result(switched(state, now), [], 0);
  const confirmed = since === confirmedAtMs ? state : { ...unconfirmed, confirmedAtMs: since };
  return result(
    confirmed,
    [
      `API servers share one address: waiting another ${Math.ceil(leftMs / 1000)} s for all of them to read the CA bundle`,
    ],
    Math.max(1, Math.min(leftMs, 60_000)),
  );
}

function switched(state: DistributeState, now: number): HandoverState {
  const { candidate, confirmedAtMs: _, ...rest } = state;
  return { ...rest, phase: "Switch", sinceMs: now, serving: candidate };
}

function servingIsUsable(state: TrustBundleState, now: number): boolean {
  return !isExpired(state.current, now) && !isExpired(state.serving, now);
}

/**
 * Only expiry justifies acting without acknowledgements. A certificate that is not valid *yet* means a clock was set
 * back, perhaps only ours: that is repaired by an ordinary rotation.
 */
function isExpired(certificate: Certificate, now: number): boolean {
  return now > certificate.notAfterMs;
}

function neededMaterial(
  state: TrustBundleState,
  observed: Observations,
  now: number,
  options: TrustBundleOptions,
): IssueRequest | undefined {
  switch (state.phase) {
    case "Stable":
      return (
        replacement(state.current, now) ??
        servingLeaf(state, state.current, now, options) ??
        rotation(state, observed.rotate, now)
      );
    case "Distribute":
      return nextMaterial(state, now, options) ?? servingLeaf(state, state.current, now, options);
    case "Switch":
    case "Retire":
      return replacement(state.next, now) ?? servingLeaf(state, state.next, now, options);
    default:
      return state satisfies never;
  }
}

function replacement(signer: Authority, now: number): IssueRequest | undefined {
  if (!isExpired(signer, now)) return undefined;
  return { what: "replacement", because: `the CA ${signer.fingerprint.slice(0, 12)} has expired` };
}

/** While distributing, whatever is not yet served may be replaced freely; acknowledgements then start over. */
function nextMaterial(
  state: DistributeState,
  now: number,
  options: TrustBundleOptions,
): IssueRequest | undefined {
  if (!isValidAt(state.next, now)) {
    const what = isExpired(state.current, now) && isExpired(state.next, now) ? "replacement" : "rotation";
    return { what, because: "the CA being distributed is outside its validity period" };
  }
  if (isDue(state.next, now))
    return { what: "rotation", because: "the CA being distributed is due for renewal itself" };
  const because = leafFault(state.candidate, state.next, now, options);
  return because === undefined ? undefined : { what: "candidate", because, signer: state.next };
}

function servingLeaf(
  state: TrustBundleState,
  signer: Authority,
  now: number,
  options: TrustBundleOptions,
): IssueRequest | undefined {
  if (!canSign(signer, now)) return undefined;
  const because = leafFault(state.serving, signer, now, options);
  return because === undefined ? undefined : { what: "serving", because, signer };
}

function canSign(signer: Authority, now: number): signer is KeyPair {
  return signer.privateKeyPem !== undefined && !isExpired(signer, now);
}

/** Why this leaf is to be issued anew, if so. */
function leafFault(
  leaf: KeyPair,
  signer: Authority,
  now: number,
  options: TrustBundleOptions,
): string | undefined {
  if (!isValidAt(leaf, now)) return "the leaf is outside its validity period";
  const missing = [
    ...options.dnsNames.filter((name) => !leaf.dnsNames.includes(name)),
    ...options.ipAddresses.filter((address) => !leaf.ipAddresses.includes(canonicalAddress(address))),
  ];
  if (missing.length > 0) return `the leaf does not name ${missing.join(", ")}`;
  // Close to the authority's own end a new leaf would gain nothing; the authority's rotation comes first.
  const gainMs = Math.min(now + options.leafLifetimeMs, signer.notAfterMs) - leaf.notAfterMs;
  if (isDue(leaf, now) && gainMs > options.leafLifetimeMs / 20) return "the leaf is due for renewal";
  return undefined;
}

function rotation(state: StableState, rotate: string | undefined, now: number): IssueRequest | undefined {
  const asked = rotate === state.handledRotation ? undefined : rotate;
  const kind = asked?.split(":", 1)[0];
  const handles = asked === undefined ? {} : { handles: asked };
  if (kind === "ca")
    return { what: "rotation", because: "rotation of the CA was requested by annotation", ...handles };
  if (state.current.privateKeyPem === undefined) {
    return { what: "rotation", because: "the private key of the published CA is lost" };
  }
  if (isDue(state.current, now)) return { what: "rotation", because: "the CA is due for renewal" };
  if (!isValidAt(state.current, now))
    return { what: "rotation", because: "the CA is not valid yet: a clock was set back" };
  if (kind === "leaf" && canSign(state.current, now)) {
    const because = "rotation of the leaf was requested by annotation";
    return { what: "serving", because, signer: state.current, ...handles };
  }
  return undefined;
}

function unknownRotation(state: StableState, rotate: string | undefined): string[] {
  if (rotate === undefined || rotate === state.handledRotation || /^(ca|leaf)(:|$)/.test(rotate)) return [];
  return [
    `annotation shieldx.io/rotate is "${rotate.slice(0, 64)}"; expected "ca" or "leaf", with an optional ":nonce"`,
  ];
}

function result(
  state: TrustBundleState,
  waitingFor: readonly string[],
  requeueAfterMs: number,
): TrustBundleStep {
  return { state, desired: desiredOf(state), waitingFor, requeueAfterMs };
}
