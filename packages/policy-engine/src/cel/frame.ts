import { type CelAbort, CelCostError, CelDeadlineError, CelError } from "./errors.ts";
import type { SourceWriter } from "./generate/source-writer.ts";
import { CelBoxed, type CelValue } from "./values.ts";
import { WorkMeter } from "./work.ts";

/** Where an evaluation finds variables. */
export interface Activation {
  /** undefined: no such variable. */
  find(name: string): CelValue | undefined;
}

/** Variables from an object; only its own keys count. */
export function bindings(values: Readonly<Record<string, CelValue>>): Activation {
  return { find: (name) => (Object.hasOwn(values, name) ? values[name] : undefined) };
}

export interface EvaluateOptions {
  /** Most that the evaluation may cost, in cel-go's units; unbounded when left out. */
  readonly costLimit?: number;
  /** Asked now and then in loops and during long work; true ends the evaluation with `CelDeadlineError`. */
  readonly isLate?: () => boolean;
}

/** Between two looks at the clock, in loop iterations (the API server asks as often: CheckFrequency in apis/cel). */
const ITERATIONS_PER_LOOK = 100;

/** A mistake that a variable holds instead of a value, thrown whenever the variable is read. */
export class Thrown extends CelBoxed {
  readonly error: CelError;
  constructor(error: CelError) {
    super();
    this.error = error;
  }
}

/** Places for variables, all empty, that a frame starts from: copying such a list is far cheaper than filling one. */
export type EmptySlots = readonly undefined[];

export function emptySlots(count: number): EmptySlots {
  return Array.from({ length: count }, () => undefined);
}

/** The state of one evaluation. It meters the work of it: what was touched and made, which the cost does not tell. */
export class Frame extends WorkMeter {
  readonly activation: Activation;
  readonly limit: number;
  /** Variables of comprehensions, and those of the activation that were already looked up, one place each. */
  readonly slots: (CelValue | undefined)[];
  iterations = 0;
  /** What was spent so far. Nodes add to it; loops and the end of the evaluation compare it with the limit. */
  cost = 0;
  /** Why there was no value. */
  failure: CelError | CelAbort | undefined;

  constructor(activation: Activation, slots: EmptySlots, options: EvaluateOptions) {
    super(options.isLate);
    this.activation = activation;
    this.limit = options.costLimit ?? Number.POSITIVE_INFINITY;
    this.slots = slots.slice();
    this.failure = undefined;
  }

  /** Makes the frame ready for another program that sees the same: one frame for many is far less to make and to collect. */
  restart(slotCount: number, isLate: (() => boolean) | undefined): void {
    this.recount(isLate);
    this.iterations = 0;
    this.cost = 0;
    this.failure = undefined;
    const { slots } = this;
    for (let at = 0; at < slotCount; at++) slots[at] = undefined;
  }

  /** Throws when the budget is spent. */
  checkCost(): void {
    if (this.cost > this.limit) throw new CelCostError();
  }

  /** To be called once an iteration: throws when the budget is spent or time is up. */
  tick(): void {
    if (this.cost > this.limit) throw new CelCostError();
    if (++this.iterations % ITERATIONS_PER_LOOK === 0 && this.isLate?.()) throw new CelDeadlineError();
  }
}

/** An expression made ready: its value in some frame. Throws `CelError` when it has none. */
export type Eval = (frame: Frame) => CelValue;

/** Writes statements that do what an `Eval` does, and returns what the value is called. */
export type Write = (to: SourceWriter) => string;

/** A variable: how its value is read without counting what that costs. */
export interface Raw {
  readonly write: Write;
  readonly cost: number;
  /** It is likely a `CelRecord`. */
  readonly isRecord?: boolean;
}

/** A part of a program. `constant` tells what the value always is. */
export interface Node {
  readonly run: Eval;
  readonly constant?: CelValue;
  /** The same as JavaScript; where it is left out, `run` is called. */
  readonly write?: Write | undefined;
  /** Of a variable. */
  readonly raw?: Raw;
}

export function constantNode(value: CelValue): Node {
  return { run: () => value, constant: value };
}

/** The value, or in its place what the evaluation threw. Ends of the whole evaluation go through. */
export function valueOrThrown(run: Eval, frame: Frame): CelValue {
  try {
    return run(frame);
  } catch (error) {
    if (error instanceof CelError) return new Thrown(error);
    throw error;
  }
}
