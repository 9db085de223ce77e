/** Queries that nearly always come to an empty list, asked by the shortest way; whatever else is for `RegoPolicy.read`. */
import type { BuiltinCache } from "../builtins/contract.ts";
import { type AnyObject, isArray, isSet, type RegoValue } from "../values.ts";
import { countWith } from "../work-meter.ts";
import type { CompiledFunction } from "./function.ts";
import { valueOfEntry } from "./rules.ts";
import { Run } from "./run.ts";
import type { QueryContext } from "./run-context.ts";

/** All there is to a query of one policy. */
export interface QuickQuery {
  readonly rule: CompiledFunction;
  readonly data: AnyObject;
  readonly cache: BuiltinCache;
  /** To be called before each evaluation. */
  readonly begin: () => void;
}

/** One input, for one policy after the other. */
export class QuickQueries {
  readonly #run: Run;

  constructor(input: RegoValue, context: QueryContext) {
    this.#run = new Run(input, context);
  }

  /** Whether it is a list with nothing in it. False tells nothing but that: the policy is to be asked again, for what it says. */
  isEmpty({ rule, data, cache, begin }: QuickQuery): boolean {
    begin();
    const run = this.#run.begin(data, cache);
    const outer = countWith(run);
    try {
      const value = valueOfEntry(rule, run);
      if (value === undefined) return false;
      return isSet(value) ? value.size === 0 : isArray(value) && value.length === 0;
    } catch {
      // Whatever it is, it comes again where it is told.
      return false;
    } finally {
      countWith(outer);
    }
  }
}
