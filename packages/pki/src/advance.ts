import type { KeyPair } from "./certificate.ts";
import { isSignedBy, isValidAt, readCertificate, splitBundle } from "./certificate.ts";
import { PkiError } from "./errors.ts";
import { generateCa, issueLeaf } from "./issue.ts";
import type {
  IssueRequest,
  Observations,
  TrustBundleOptions,
  TrustBundleState,
  TrustBundleStep,
} from "./trust-bundle.ts";
import { trustBundleStep } from "./trust-bundle.ts";

/** What an `IssueRequest` asks for; an authority only for `replacement` and `rotation`. */
export interface Issued {
  readonly authority?: KeyPair;
  readonly leaf: KeyPair;
}

/** Makes what a step asked for. Tests put a cheap one in. */
export type Issuer = (request: IssueRequest, now: number, options: TrustBundleOptions) => Promise<Issued>;

/** What was found in the cluster where no state was: enough to take over without an interruption. */
export interface FoundMaterial {
  /** The leaf the replicas serve, from the TLS Secret. */
  readonly serving: KeyPair;
  /** caBundle of a webhook configuration, PEM. */
  readonly caBundle: string;
}

export interface AdvanceInput {
  /** Undefined at the first start, or when the state was lost. */
  readonly state: TrustBundleState | undefined;
  readonly observed: Observations;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly options: TrustBundleOptions;
  readonly found?: FoundMaterial;
  readonly issuer?: Issuer;
}

export interface Advance extends TrustBundleStep {
  /** Whether `state` must be stored (before `desired` is acted upon). */
  readonly changed: boolean;
  /** Why new certificates were made in this call; sentences for people. */
  readonly issued: readonly string[];
}

/**
 * `trustBundleStep` with the certificates it asks for made on the way. Without a state it begins one: from what was
 * found published when that still hangs together (rotating away from the lost key), otherwise afresh.
 * @throws PkiError when the options cannot be certified
 */
export async function advanceTrustBundle(input: AdvanceInput): Promise<Advance> {
  const { observed, now, options } = input;
  const issuer = input.issuer ?? issueMaterial;
  const issued: string[] = [];
  let state = input.state ?? adopt(input.found, now);
  if (state === undefined) {
    const first: IssueRequest = {
      what: "replacement",
      because: "no certificates existed yet",
      ...(observed.rotate === undefined ? {} : { handles: observed.rotate }),
    };
    state = acceptIssued(undefined, first, await issuer(first, now, options), now);
    issued.push(first.because);
  }
  // Each kind of material is asked for at most once in a row: serving, then next authority, then candidate.
  for (let round = 0; round < 8; round++) {
    const step = trustBundleStep(state, observed, now, options);
    if (step.issue === undefined) return { ...step, changed: step.state !== input.state, issued };
    issued.push(step.issue.because);
    state = acceptIssued(state, step.issue, await issuer(step.issue, now, options), now);
  }
  throw new PkiError(
    "request_invalid",
    `new certificates are due again as soon as they are made (${issued.at(-1)}); check the configured lifetimes and names`,
  );
}

/** Makes real certificates for a request. */
export const issueMaterial: Issuer = async (request, now, options) => {
  const authority =
    request.what === "replacement" || request.what === "rotation"
      ? await generateCa({ commonName: options.commonName, now, lifetimeMs: options.caLifetimeMs })
      : undefined;
  const ca = authority ?? ("signer" in request ? request.signer : undefined);
  if (ca === undefined) throw new PkiError("request_invalid", `no authority to sign a ${request.what} leaf`);
  const { dnsNames, ipAddresses, leafLifetimeMs } = options;
  const leaf = await issueLeaf({ ca, dnsNames, ipAddresses, now, lifetimeMs: leafLifetimeMs });
  return authority === undefined ? { leaf } : { authority, leaf };
};

/** The state with new material put in its place. */
export function acceptIssued(
  state: TrustBundleState | undefined,
  request: IssueRequest,
  issued: Issued,
  now: number,
): TrustBundleState {
  const handledRotation = request.handles ?? state?.handledRotation;
  const handled = handledRotation === undefined ? {} : { handledRotation };
  switch (request.what) {
    case "replacement":
      return {
        phase: "Stable",
        sinceMs: now,
        current: required(issued.authority),
        serving: issued.leaf,
        ...handled,
      };
    case "rotation": {
      if (state === undefined)
        throw new PkiError("state_invalid", "a rotation needs a state to rotate away from");
      const next = required(issued.authority);
      const { current, serving } = state;
      return {
        phase: "Distribute",
        sinceMs: now,
        current,
        serving,
        next,
        candidate: issued.leaf,
        ...handled,
      };
    }
    case "serving":
      if (state === undefined) throw new PkiError("state_invalid", "a leaf needs a state to belong to");
      return { ...state, serving: issued.leaf, ...handled };
    case "candidate": {
      if (state?.phase !== "Distribute")
        throw new PkiError("state_invalid", "a candidate exists only in Distribute");
      const { confirmedAtMs: _, ...rest } = state;
      return { ...rest, candidate: issued.leaf, ...handled };
    }
    default:
      return request satisfies never;
  }
}

function required(authority: KeyPair | undefined): KeyPair {
  if (authority === undefined) throw new PkiError("request_invalid", "the issuer returned no authority");
  return authority;
}

function adopt(found: FoundMaterial | undefined, now: number): TrustBundleState | undefined {
  if (found === undefined || !isValidAt(found.serving, now)) return undefined;
  const signer = splitBundle(found.caBundle)
    .map(readCertificate)
    .find((authority) => isValidAt(authority, now) && isSignedBy(found.serving, authority));
  if (signer === undefined) return undefined;
  return { phase: "Stable", sinceMs: now, current: signer, serving: found.serving };
}
