import type { Activation } from "../frame.ts";
import type { CelType } from "../types.ts";
import type { CelValue } from "../values.ts";

/** How one evaluation went. Its cost counts whatever came of it. */
export type Evaluation =
  | { readonly kind: "value"; readonly value: CelValue; readonly cost: number }
  | { readonly kind: "error"; readonly error: Error; readonly cost: number };

/** Says that the time for an answer is over; asked now and then within loops. */
export type IsLate = () => boolean;

/** An expression ready to be evaluated. */
export interface CompiledExpression {
  /** As it stands in the policy. */
  readonly source: string;
  readonly resultType: CelType;
  /** It has the same value in every policy: a request computes it once. */
  readonly isShared: boolean;
  /** Throws nothing but `CelPending`. */
  evaluate(activation: Activation, isLate: IsLate | undefined): Evaluation;
}
