import type { BundleSpec, ShieldPolicySpec } from "@shieldx/crds";
import type { RegoState } from "../rego/program/index.ts";
import type { CurrentBundle } from "./held-bundle.ts";

/** The part of a policy that says what its program is made of. */
export interface RegoPolicyParts {
  readonly engine: ShieldPolicySpec["engine"];
  readonly rego?: ShieldPolicySpec["rego"] | undefined;
  readonly actions?: ShieldPolicySpec["actions"] | undefined;
}

/** How far a policy in Rego has come. */
export type RegoPolicyState =
  | RegoState
  /** Its bundle is not there. `failure`: why it could not be had so far; it will be tried again. */
  | { readonly kind: "fetching"; readonly failure?: string | undefined };

/** How far a bundle has come. */
export type BundleState =
  | { readonly kind: "ready"; readonly current: CurrentBundle }
  | Exclude<RegoPolicyState, RegoState>
  | Extract<RegoState, { kind: "refused" }>;

/**
 * A policy whose rules are served from a bundle. Somebody else compiles them, and has a say in which bundle is used: what is
 * kept for the next start is to be one that can be served.
 */
export interface ServedBundleUse {
  readonly bundle: BundleSpec;
  /** Called with each new bundle before it is taken into use in place of `current`. @throws why it must not be */
  readonly makeReady: (next: CurrentBundle, current: CurrentBundle | undefined) => Promise<void>;
}

/** Says how far a policy has come; asked while policies are compiled, so it answers at once. */
export type RegoLookup = (policy: RegoPolicyParts) => RegoPolicyState;
