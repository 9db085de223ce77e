import type { AuthorizationCheck } from "../kubernetes/authorization-check.ts";
import type { AdmissionReason } from "./reasons.ts";

/** One reason to refuse the request. */
export interface CelFailure {
  /**
   * - `denied`: a rule was not kept.
   * - `error`: an expression could not be evaluated and failurePolicy is Fail.
   * - `configuration`: the parameters could not be had and failurePolicy is Fail.
   * - `auditAnnotation`: an annotation could not be evaluated and failurePolicy is Fail; the server refuses for it
   *   whatever the action of the binding is.
   */
  readonly kind: "denied" | "error" | "configuration" | "auditAnnotation";
  /** Index into spec.validations, or spec.auditAnnotations; undefined for what concerns the whole policy. */
  readonly index: number | undefined;
  /** What the API server writes after "denied request: ". */
  readonly message: string;
  readonly reason: AdmissionReason;
  /** The parameter object it was evaluated with, as an index into the params given. */
  readonly param: number | undefined;
}

/** An error that failurePolicy Ignore passes over. */
export interface CelIgnoredError {
  readonly index: number | undefined;
  readonly message: string;
}

export interface CelOutcome {
  /** False: the policy is not about this request (a matchCondition, or no parameters and Allow). */
  readonly isMatch: boolean;
  readonly failures: readonly CelFailure[];
  readonly ignoredErrors: readonly CelIgnoredError[];
  /** Values of spec.auditAnnotations by key; several parameter objects may give several values. */
  readonly auditAnnotations: ReadonlyMap<string, readonly string[]>;
  /** Not empty: nothing is decided; look these up and evaluate again. */
  readonly pending: readonly AuthorizationCheck[];
}
