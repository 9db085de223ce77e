import { randomBytes } from "node:crypto";
import type { BuiltinCache, BuiltinContext } from "../builtins/contract.ts";
import type { Run } from "./run.ts";
import type { SharedResults } from "./sharing.ts";

/** What a query may use and how much. Only the time has no default: the engine has no clock. */
export interface QueryContext
  extends Pick<BuiltinContext, "nowNs">,
    Partial<Omit<BuiltinContext, "spend" | "queryCache" | "nowNs">> {
  /** End the query at the first error of a built-in, instead of taking the call as undefined. */
  readonly strictErrors?: boolean;
  /** Units of work; default 5 million, about a second. */
  readonly costLimit?: number;
  /** Asked every 4,096 units of work; once it answers true the query ends with `eval_cancel_error`. */
  readonly isPastDeadline?: () => boolean;
  /** For all policies that are asked about one input; left out, each finds everything out by itself. */
  readonly shared?: SharedResults;
  /** Told the units of work that the query came to, however it ended. */
  readonly onWork?: (units: number) => void;
}

const noCache: BuiltinCache = { get: () => undefined, set: () => {} };
const noHosts: readonly string[] = [];
const noRuntime = Object.freeze({});
const ignore = (): void => {};

/**
 * What built-ins see of a query. Looks at what another policy may see otherwise are counted: what a rule came to by one is
 * not for others.
 */
export class RunContext implements BuiltinContext {
  readonly cache: BuiltinCache;
  readonly spend: (units: number) => void;
  readonly #run: Run;
  readonly #given: QueryContext;
  #queryCache: Map<string, unknown> | undefined;

  /** @param cache where the query is given none */
  constructor(run: Run, given: QueryContext, cache: BuiltinCache = noCache) {
    this.cache = given.cache ?? cache;
    this.spend = (units) => run.spend(units);
    this.#run = run;
    this.#given = given;
  }

  get nowNs(): bigint {
    return this.#look().nowNs;
  }

  get randomBytes(): BuiltinContext["randomBytes"] {
    return this.#look().randomBytes ?? randomBytes;
  }

  get print(): BuiltinContext["print"] {
    return this.#look().print ?? ignore;
  }

  get trace(): BuiltinContext["trace"] {
    return this.#look().trace ?? ignore;
  }

  get queryCache(): BuiltinContext["queryCache"] {
    this.#look();
    this.#queryCache ??= new Map();
    return this.#queryCache;
  }

  get runtime(): BuiltinContext["runtime"] {
    return this.#look().runtime ?? noRuntime;
  }

  get allowedHosts(): BuiltinContext["allowedHosts"] {
    return this.#look().allowedHosts ?? noHosts;
  }

  get http(): BuiltinContext["http"] {
    return this.#look().http;
  }

  get lookup(): BuiltinContext["lookup"] {
    return this.#look().lookup;
  }

  #look(): QueryContext {
    this.#run.looks++;
    return this.#given;
  }
}
