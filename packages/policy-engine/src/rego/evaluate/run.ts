/** The state of one query. */
import { type BuiltinCache, type BuiltinContext, EvaluationError } from "../builtins/contract.ts";
import type { RegoValue } from "../values.ts";
import { nextSerial, type WorkMeter } from "../work-meter.ts";
import type { CompiledFunction } from "./function.ts";
import { type QueryContext, RunContext } from "./run-context.ts";
import type { SharedResults } from "./sharing.ts";

/** A rule was evaluated and has no value; distinct from a rule not evaluated yet. */
export const noValue = Symbol("no value");

/** Values of rules under one input and data, which `with` replaces. */
export interface World {
  readonly input: RegoValue | undefined;
  readonly data: RegoValue | undefined;
  /** By number of the function. */
  readonly values: (RegoValue | typeof noValue | undefined)[];
  /** Absent for that of the question itself. */
  readonly outer: World | undefined;
}

/** Units of work that a query may spend where its context says nothing else. */
export const DEFAULT_COST_LIMIT = 5_000_000;
/** Calls of functions within calls. */
export const maxCallDepth = 250;

/** Units of work between two looks at the clock. */
const clockInterval = 4_096;

/** Worlds searched for one with the same documents: `with` seldom nests deeper. */
const worldsSearched = 8;

/** One query, or one after the other about the same input with the same context: each begins with `begin`. */
export class Run implements WorkMeter {
  /** Tells queries apart. */
  serial = 0;
  readonly strictErrors: boolean;
  results: RegoValue[] = [];
  /** What the function that just ended answered, where it was run as closures. */
  value: RegoValue | undefined;
  world: World;
  /** What other policies found out about the same input; a query under strict errors finds out by itself. */
  readonly shared: SharedResults | undefined;
  /** Rules that were asked for while a rule is evaluated whose value others may use. */
  asked: Set<CompiledFunction> | undefined;
  /** Work of those that were evaluated meanwhile. */
  askedWork = 0;
  /** How often a built-in looked at what is this query's alone: time, chance, who may be called. */
  looks = 0;
  depth = 0;
  readonly #input: RegoValue | undefined;
  readonly #given: QueryContext;
  readonly #limit: number;
  #cache: BuiltinCache | undefined;
  #context: BuiltinContext | undefined;
  #costLeft = 0;
  #untilClock = 0;

  constructor(input: RegoValue | undefined, given: QueryContext) {
    this.world = { input, data: undefined, values: [], outer: undefined };
    this.strictErrors = given.strictErrors ?? false;
    this.shared = this.strictErrors ? undefined : given.shared;
    this.#input = input;
    this.#given = given;
    this.#limit = given.costLimit ?? DEFAULT_COST_LIMIT;
  }

  /** Nothing is left of the query before. */
  begin(data: RegoValue, cache: BuiltinCache): this {
    this.serial = nextSerial();
    this.world = { input: this.#input, data, values: [], outer: undefined };
    if (this.results.length > 0) this.results = [];
    this.asked = undefined;
    this.askedWork = 0;
    this.looks = 0;
    this.depth = 0;
    this.#cache = cache;
    this.#context = undefined;
    this.#untilClock = Math.min(this.#limit, clockInterval);
    this.#costLeft = this.#limit - this.#untilClock;
    return this;
  }

  /** For built-ins. */
  get context(): BuiltinContext {
    this.#context ??= new RunContext(this, this.#given, this.#cache);
    return this.#context;
  }

  /** Units of work so far. */
  get spent(): number {
    return this.#limit - this.#costLeft - this.#untilClock;
  }

  /** Counts work. Throws `EvaluationError` once the query has no cost or time left. */
  spend(units: number): void {
    this.#untilClock -= units;
    if (this.#untilClock < 0) this.#refill();
  }

  #refill(): void {
    this.#costLeft += this.#untilClock;
    this.#untilClock = 0;
    if (!(this.#costLeft >= 0))
      throw new EvaluationError(
        "eval_cancel_error",
        `the query needs more than its ${this.#limit} units of work`,
      );
    if (this.#given.isPastDeadline?.() === true)
      throw new EvaluationError("eval_cancel_error", "the query took longer than its deadline allows");
    this.#untilClock = Math.min(this.#costLeft, clockInterval);
    this.#costLeft -= this.#untilClock;
  }

  enter(): void {
    this.spend(1);
    if (++this.depth > maxCallDepth)
      throw new EvaluationError("eval_internal_error", `calls are nested more than ${maxCallDepth} deep`);
  }

  exit(): void {
    this.depth--;
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
