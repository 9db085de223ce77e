/** A compiled plan, ready to answer queries. */
import { randomBytes } from "node:crypto";
import {
  AwaitsOutcome,
  type Builtin,
  type BuiltinCache,
  type BuiltinContext,
  BuiltinError,
  EvaluationError,
} from "../builtins/contract.ts";
import { type RegoJson, toJson } from "../json.ts";
import type { RegoPlan } from "../plan/statements.ts";
import { type AnyObject, isObject, type RegoValue, ValueDepthError } from "../values.ts";
import { metered } from "../work-meter.ts";
import { BoundedCache } from "./bounded-cache.ts";
import { compilePlan, type Query } from "./compile.ts";
import { lookUp } from "./reads.ts";
import { Run } from "./run.ts";

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
}

export interface Question {
  /** Absent is Rego's undefined. Used as it is; it must not change during the call. */
  readonly input?: RegoValue;
  readonly data?: AnyObject;
  /** Steps into what the entrypoint answers, as further terms of a reference; where they lead nowhere, there is no answer. */
  readonly within?: readonly (string | number)[];
  readonly context: QueryContext;
}

/** One answer of a query: its variables by name; an entrypoint has one, `result`. */
export type Bindings = Readonly<Record<string, RegoJson>>;

export interface RegoPolicy {
  /** Names of the plans: `shieldx/deny` for the entrypoint `data.shieldx.deny`. */
  readonly entrypoints: readonly string[];
  /**
   * None where the entrypoint is undefined. Throws `EvaluationError`, `RangeError` for an unknown entrypoint, and
   * `AwaitsOutcome` where the context lets it call hosts.
   */
  evaluate(entrypoint: string, question: Question): readonly Bindings[];
}

/** Thrown by `compileRego`: the plan calls built-ins that are not there, so it could never be evaluated. */
export class MissingBuiltinsError extends Error {
  readonly code = "MISSING_BUILTINS";
  readonly names: readonly string[];
  constructor(names: readonly string[]) {
    super(`the policy calls built-ins that are not supported: ${names.join(", ")}`);
    this.name = "MissingBuiltinsError";
    this.names = names;
  }
}

const defaultCostLimit = 5_000_000;
const maxCallDepth = 250;

/** Compiles what `loadPlan` checked. Throws `MissingBuiltinsError`, and `RangeError` for absurd numbers. */
export function compileRego(plan: RegoPlan, builtins: ReadonlyMap<string, Builtin>): RegoPolicy {
  const missing = [...plan.builtins.keys()].filter((name) => !builtins.has(name));
  if (missing.length > 0) throw new MissingBuiltinsError(missing);
  const queries = compilePlan(plan, builtins);
  const cache = new BoundedCache();
  return {
    entrypoints: [...queries.keys()],
    evaluate(entrypoint, question) {
      const query = queries.get(entrypoint);
      if (!query) throw new RangeError(`the policy has no entrypoint ${entrypoint}`);
      return evaluate(query, question, cache);
    },
  };
}

function evaluate(
  query: Query,
  { input, data = {}, within = [], context }: Question,
  cache: BuiltinCache,
): readonly Bindings[] {
  const limits = {
    cost: context.costLimit ?? defaultCostLimit,
    depth: maxCallDepth,
    isPastDeadline: context.isPastDeadline ?? (() => false),
  };
  const run = new Run(input, data, limits, context.strictErrors ?? false, (spend) => ({
    randomBytes,
    print: ignore,
    trace: ignore,
    cache,
    runtime: {},
    allowedHosts: [],
    ...context,
    queryCache: new Map(),
    spend,
  }));
  try {
    return metered(
      (units) => run.spend(units),
      () => {
        query(run);
        return run.results.flatMap((result) => {
          const found = within.length === 0 ? result : resultWithin(result, within);
          return found === undefined ? [] : [bindings(found)];
        });
      },
    );
  } catch (error) {
    if (error instanceof AwaitsOutcome) throw error;
    throw asEvaluationError(error);
  }
}

const ignore = (): void => {};

/** The same answer with only what lies at the path, where `result` is what an entrypoint calls its value. */
function resultWithin(answer: RegoValue, path: readonly (string | number)[]): RegoValue | undefined {
  let value = lookUp(answer, "result");
  for (const key of path) if (value !== undefined) value = lookUp(value, key);
  return value === undefined ? undefined : { result: value };
}

function bindings(result: RegoValue): Bindings {
  const json = isObject(result) ? toJson(result) : undefined;
  if (typeof json !== "object" || json === null || isList(json))
    throw new EvaluationError("eval_internal_error", "the plan's result is no object");
  return json;
}

const isList = (json: RegoJson): json is readonly RegoJson[] => Array.isArray(json);

function asEvaluationError(error: unknown): EvaluationError {
  if (error instanceof EvaluationError) return error;
  if (error instanceof ValueDepthError)
    return new EvaluationError("eval_internal_error", error.message, { cause: error });
  if (error instanceof BuiltinError) return new EvaluationError(error.code, error.message, { cause: error });
  // V8 has no other name for a stack that is used up.
  if (error instanceof RangeError && error.message.includes("call stack"))
    return new EvaluationError("eval_internal_error", "the query is nested too deep", { cause: error });
  const message = error instanceof Error ? error.message : String(error);
  return new EvaluationError("eval_internal_error", `evaluation failed: ${message}`, { cause: error });
}
