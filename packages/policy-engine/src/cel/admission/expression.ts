import { type Activation, emptySlots, Frame } from "../frame.ts";
import type { Program } from "../program.ts";
import type { CelType } from "../types.ts";
import type { CelValue } from "../values.ts";
import { PER_CALL_COST_LIMIT } from "./limits.ts";

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
  /** What it is made of. */
  readonly program?: Program;
  /** Throws nothing but `CelPending`. */
  evaluate(activation: Activation, isLate: IsLate | undefined): Evaluation;
  /**
   * The same in a frame that served another (`expressionFrame`), which then holds what it cost. undefined: there is no
   * value, and `frame.failure` says why.
   */
  valueIn(frame: Frame, isLate: IsLate | undefined): CelValue | undefined;
}

/** A frame for expressions that see the same, one after the other. */
export function expressionFrame(activation: Activation): Frame {
  return new Frame(activation, noSlots, expressionLimit);
}

const noSlots = emptySlots(0);
const expressionLimit = { costLimit: PER_CALL_COST_LIMIT };
