import type { ShieldPolicySpec } from "@shieldx/crds";
import type { RegoState } from "../rego/program/index.ts";

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

/** Says how far a policy has come; asked while policies are compiled, so it answers at once. */
export type RegoLookup = (policy: RegoPolicyParts) => RegoPolicyState;
