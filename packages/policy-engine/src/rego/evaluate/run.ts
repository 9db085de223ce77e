/** The state of one query. */
import type { BuiltinContext } from "../builtins/contract.ts";
import { EvaluationError } from "../builtins/contract.ts";
import type { RegoValue } from "../values.ts";

/** A rule was evaluated and has no value; distinct from a rule not evaluated yet. */
export const noValue = Symbol("no value");

/** Values of rules under one input and data, which `with` replaces. */
interface World {
  readonly input: RegoValue | undefined;
  readonly data: RegoValue | undefined;
  /** By number of the function. */
  readonly values: (RegoValue | typeof noValue | undefined)[];
  readonly outer: World | undefined;
}

export interface Limits {
  /** Units of work, about one element touched each, after which a query ends with an error. */
  readonly cost: number;
  /** Calls of functions within calls. */
  readonly depth: number;
  /** Asked every few thousand units of work. */
  readonly isPastDeadline: () => boolean;
}

/** Units of work between two looks at the clock. */
const clockInterval = 4_096;

/** Worlds searched for one with the same documents: `with` seldom nests deeper. */
const worldsSearched = 8;

export class Run {
  readonly context: BuiltinContext;
  readonly strictErrors: boolean;
  readonly results: RegoValue[] = [];
  /** What the function that just ended answered. */
  value: RegoValue | undefined;
  world: World;
  readonly #limits: Limits;
  #costLeft: number;
  #untilClock: number;
  #depth = 0;

  constructor(
    input: RegoValue | undefined,
    data: RegoValue,
    limits: Limits,
    strictErrors: boolean,
    context: (spend: (units: number) => void) => BuiltinContext,
  ) {
    this.world = { input, data, values: [], outer: undefined };
    this.strictErrors = strictErrors;
    this.#limits = limits;
    this.#untilClock = Math.min(limits.cost, clockInterval);
    this.#costLeft = limits.cost - this.#untilClock;
    this.context = context((units) => this.spend(units));
  }

  /** Counts work. Throws `EvaluationError` once the query has no cost or time left. */
  spend(units: number): void {
    this.#untilClock -= units;
    if (this.#untilClock < 0) this.#refill();
  }

  #refill(): void {
    this.#costLeft += this.#untilClock;
    if (!(this.#costLeft >= 0))
      throw new EvaluationError(
        "eval_cancel_error",
        `the query needs more than its ${this.#limits.cost} units of work`,
      );
    if (this.#limits.isPastDeadline())
      throw new EvaluationError("eval_cancel_error", "the query took longer than its deadline allows");
    this.#untilClock = Math.min(this.#costLeft, clockInterval);
    this.#costLeft -= this.#untilClock;
  }

  enter(): void {
    this.spend(1);
    if (++this.#depth > this.#limits.depth)
      throw new EvaluationError(
        "eval_internal_error",
        `calls are nested more than ${this.#limits.depth} deep`,
      );
  }

  exit(): void {
    this.#depth--;
  }

  /** Makes these the documents rules are remembered for; back to what was, by setting `world` again. */
  switchWorld(input: RegoValue | undefined, data: RegoValue | undefined): void {
    let found: World | undefined = this.world;
    for (let looked = 0; found && looked < worldsSearched; looked++, found = found.outer)
      if (found.input === input && found.data === data) {
        this.world = found;
        return;
      }
    this.world = { input, data, values: [], outer: this.world };
  }
}
