/** Who answers questions about documents: `data.app.authz.allow` under an input. */
import type { EvaluationErrorCode, RegoJson, RegoValue } from "../rego/index.ts";

/** A term of a reference below `data`: a key, or a position in a list. */
export type PathPart = string | number;

export interface DecisionQuestion {
  readonly path: readonly PathPart[];
  /** Absent is Rego's undefined. Used as it is; it must not change during the call. */
  readonly input?: RegoValue;
  /** End at the first error of a built-in instead of taking the call as undefined. */
  readonly strictErrors?: boolean;
  /** Nanoseconds since 1970. */
  readonly nowNs: bigint;
  /** Asked now and then; once it answers true the question ends with an error. */
  readonly isPastDeadline?: () => boolean;
}

export type Decision =
  | { readonly kind: "value"; readonly value: RegoJson }
  /** There is a rule, and it has no value under this input. */
  | { readonly kind: "undefined" }
  /** No policy has anything there. */
  | { readonly kind: "missing" }
  | {
      readonly kind: "error";
      readonly code: EvaluationErrorCode;
      readonly message: string;
      readonly location?: { readonly file: string; readonly row: number; readonly col: number };
    };

/** An immutable set of policies that answer; a change makes another. */
export interface DecisionSource {
  /** Version of each policy that is served, by name. */
  readonly revisions: ReadonlyMap<string, string>;
  decide(question: DecisionQuestion): Decision;
}
