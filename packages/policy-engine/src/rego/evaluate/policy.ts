/** A compiled plan, ready to answer queries. */

import { isToBeGenerated } from "../../generate/pace.ts";
import { AwaitsOutcome, type Builtin, BuiltinError, EvaluationError } from "../builtins/contract.ts";
import { generatePlan, mayBeGenerated } from "../generate/generated.ts";
import { type RegoJson, toJson } from "../json.ts";
import type { RegoPlan } from "../plan/statements.ts";
import { type AnyObject, isObject, type PlainObject, type RegoValue, ValueDepthError } from "../values.ts";
import { countWith } from "../work-meter.ts";
import { BoundedCache } from "./bounded-cache.ts";
import { type CompiledPlan, compilePlan, type Query } from "./compile.ts";
import type { QuickQuery } from "./quick-query.ts";
import { lookUp } from "./reads.ts";
import { valueOfEntry } from "./rules.ts";
import { Run } from "./run.ts";
import type { QueryContext } from "./run-context.ts";
import type { Observe } from "./step.ts";

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
  /**
   * What `look` makes of the `result` of the first answer, or of undefined where there is none. It sees the value as the
   * evaluation has it, and what it walks counts as the evaluation's work. Throws as `evaluate`, and what `look` throws.
   */
  read<T>(entrypoint: string, question: Question, look: (result: RegoValue | undefined) => T): T;
  /** For `QuickQueries`; undefined where the entrypoint is more than a rule. */
  quickQuery(entrypoint: string, data?: AnyObject): QuickQuery | undefined;
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

/**
 * Compiles what `loadPlan` checked. Throws `MissingBuiltinsError`, and `RangeError` for absurd numbers.
 *
 * @param observe sees which statements run
 */
export function compileRego(
  plan: RegoPlan,
  builtins: ReadonlyMap<string, Builtin>,
  observe?: Observe,
): RegoPolicy {
  const missing = [...plan.builtins.keys()].filter((name) => !builtins.has(name));
  if (missing.length > 0) throw new MissingBuiltinsError(missing);
  return new Policy(plan, builtins, observe);
}

/** Closures at first; one that is evaluated again and again becomes code of its own. */
class Policy implements RegoPolicy {
  readonly entrypoints: readonly string[];
  readonly #compiled: CompiledPlan;
  readonly #cache = new BoundedCache();
  /** What to make code of; undefined when that was tried, or is not worth trying. */
  #plan: RegoPlan | undefined;
  #evaluations = 0;

  constructor(plan: RegoPlan, builtins: ReadonlyMap<string, Builtin>, observe?: Observe) {
    // Code would not tell which of its statements run.
    this.#plan = observe === undefined && mayBeGenerated(plan) ? plan : undefined;
    this.#compiled = compilePlan(plan, builtins, observe);
    this.entrypoints = [...this.#compiled.queries.keys()];
  }

  evaluate(entrypoint: string, question: Question): readonly Bindings[] {
    const { within = [] } = question;
    return this.#ask(entrypoint, question, (query, run) => {
      query.run(run);
      return run.results.flatMap((result) => {
        const found = within.length === 0 ? result : resultWithin(result, within);
        return found === undefined ? [] : [bindings(found)];
      });
    });
  }

  read<T>(entrypoint: string, question: Question, look: (result: RegoValue | undefined) => T): T {
    return this.#ask(entrypoint, question, (query, run) => look(resultOf(query, run)));
  }

  quickQuery(entrypoint: string, data: AnyObject = noData): QuickQuery | undefined {
    const rule = this.#compiled.queries.get(entrypoint)?.rule;
    return rule && { rule, data, cache: this.#cache, begin: () => this.#begin() };
  }

  #ask<T>(entrypoint: string, question: Question, ask: (query: Query, run: Run) => T): T {
    const { input, data = noData, context } = question;
    const query = this.#compiled.queries.get(entrypoint);
    if (!query) throw new RangeError(`the policy has no entrypoint ${entrypoint}`);
    this.#begin();
    const run = new Run(input, context).begin(data, this.#cache);
    return asQuery(run, context, () => ask(query, run));
  }

  /** What making the code takes is not the query's: its budget is for what it does. */
  #begin(): void {
    const plan = this.#plan;
    if (plan === undefined || !isToBeGenerated(this.#evaluations++)) return;
    this.#plan = undefined;
    generatePlan(plan, this.#compiled);
  }
}

const noData: PlainObject = Object.freeze({});

/** A document as it came, read within the limits of a query. @throws EvaluationError */
export function readDocument(document: RegoValue, context: QueryContext): RegoJson {
  return asQuery(new Run(undefined, context).begin(noData, unused), context, () => toJson(document));
}

/** Of built-ins, none of which reading calls. */
const unused = new BoundedCache();

/** What is done counts as the query's work. */
function asQuery<T>(run: Run, context: QueryContext, work: () => T): T {
  const outer = countWith(run);
  try {
    return work();
  } catch (error) {
    if (error instanceof AwaitsOutcome) throw error;
    throw asEvaluationError(error);
  } finally {
    countWith(outer);
    context.onWork?.(run.spent);
  }
}

/** The value of `result` in the first answer. */
function resultOf({ rule, run: ask }: Query, run: Run): RegoValue | undefined {
  if (rule !== undefined) return valueOfEntry(rule, run);
  ask(run);
  return lookUp(run.results[0], "result");
}

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
