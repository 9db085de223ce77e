/** Calls of rules, functions and built-ins. */

import { argumentCost } from "../builtins/argument-cost.ts";
import { type Builtin, BuiltinError, CallError, EvaluationError, LimitError } from "../builtins/contract.ts";
import { refuseLargeArguments } from "../builtins/limits.ts";
import type { SourceLocation, Statement } from "../plan/statements.ts";
import type { RegoValue } from "../values.ts";
import type { Arguments, Callees, CompiledFunction, FunctionScope } from "./function.ts";
import { valueOfRule } from "./rules.ts";
import type { Run } from "./run.ts";
import { goOn, leave, type Read, type Step } from "./step.ts";

export function call(statement: Statement<"CallStmt">, scope: FunctionScope): Step {
  const reads = statement.args.map((operand) => scope.read(operand));
  const result = scope.slot(statement.result);
  const callee = scope.callees.functions.get(statement.func);
  if (callee)
    return callee.arity === 2 ? ruleCall(callee, reads, result) : functionCall(callee, reads, result);
  return builtinCall(builtinSite(statement, scope.callees), reads, result);
}

function functionCall(callee: CompiledFunction, reads: readonly Read[], result: number): Step {
  return (locals, run) => {
    const value = callee.body(
      reads.map((read) => read(locals)),
      run,
    );
    locals[result] = value;
    return value === undefined ? leave : goOn;
  };
}

function ruleCall(rule: CompiledFunction, reads: readonly Read[], result: number): Step {
  const [readInput, readData] = reads;
  if (!readInput || !readData) throw new Error(`${rule.name} is called without its documents`);
  return (locals, run) => {
    const value = valueOfRule(rule, readInput(locals), readData(locals), run);
    locals[result] = value;
    return value === undefined ? leave : goOn;
  };
}

/**
 * How many blocks a dynamic call leaves where the rule it finds has no value: so has the reference as a whole, which is
 * what the blocks OPA's planner puts around it are for (it leaves four of them, as OPA's own WebAssembly compiler does).
 */
export const referenceBlocks = 4;

/** No rule has the path of a dynamic call, and the statement is undefined. */
export const nothingThere = Symbol("nothing there");

/** A call by a path computed at run time. */
export function dynamicCall(
  statement: Statement<"CallDynamicStmt">,
  depth: number,
  scope: FunctionScope,
): Step {
  const path = statement.path.map((operand) => scope.read(operand));
  const args = statement.args.map((local) => scope.slot(local));
  const result = scope.slot(statement.result);
  const leaveReference = Math.min(referenceBlocks, depth);
  const { at } = scope.callees;
  return (locals, run) => {
    const value = callByPath(
      at,
      path.map((read) => read(locals)),
      args.map((slot) => locals[slot]),
      run,
    );
    if (value === nothingThere) return leave;
    locals[result] = value;
    return value === undefined ? leaveReference : goOn;
  };
}

export function callByPath(
  at: Callees["at"],
  path: Arguments,
  args: Arguments,
  run: Run,
): RegoValue | undefined | typeof nothingThere {
  const callee = areDefined(path) ? at(path) : undefined;
  if (!callee || callee.arity !== args.length) return nothingThere;
  return callee.arity === 2 ? valueOfRule(callee, args[0], args[1], run) : callee.body(args, run);
}

function areDefined(values: Arguments): values is readonly RegoValue[] {
  for (const value of values) if (value === undefined) return false;
  return true;
}

/** A built-in, and where it is called. */
export interface BuiltinSite {
  readonly builtin: Builtin;
  readonly location: SourceLocation;
}

export function builtinSite(statement: Statement<"CallStmt">, { builtins }: Callees): BuiltinSite {
  const builtin = builtins.get(statement.func);
  if (!builtin) throw new Error(`no function or built-in ${statement.func}`);
  return { builtin, location: statement.location };
}

function builtinCall(site: BuiltinSite, reads: readonly Read[], result: number): Step {
  return (locals, run) => {
    const args = reads.map((read) => read(locals));
    if (!areDefined(args)) return leave;
    const value = callBuiltin(site, args, run);
    locals[result] = value;
    return value === undefined ? leave : goOn;
  };
}

export function callBuiltin(site: BuiltinSite, args: readonly RegoValue[], run: Run): RegoValue | undefined {
  const { builtin } = site;
  try {
    const cost = builtin.isFree ? 0 : argumentCost(args);
    refuseLargeArguments(cost);
    run.spend(1 + cost);
    return builtin.call(args, run.context);
  } catch (error) {
    return failed(error, site, run);
  }
}

/** Undefined for an error that the policy does not hear of. */
function failed(error: unknown, { builtin, location }: BuiltinSite, run: Run): undefined {
  if (!(error instanceof LimitError || error instanceof CallError)) {
    if (!(error instanceof BuiltinError)) throw error;
    if (!run.strictErrors) return undefined;
  }
  throw new EvaluationError(error.code, `${builtin.name}: ${error.message}`, { cause: error, location });
}
