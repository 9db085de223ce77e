/** Calls of rules, functions and built-ins. */

import { argumentCost } from "../builtins/argument-cost.ts";
import { type Builtin, BuiltinError, CallError, EvaluationError, LimitError } from "../builtins/contract.ts";
import type { SourceLocation, Statement } from "../plan/statements.ts";
import type { RegoValue } from "../values.ts";
import type { CompiledFunction, FunctionScope } from "./function.ts";
import { noValue, type Run } from "./run.ts";
import { goOn, type Locals, leave, type Read, type Step } from "./step.ts";

export function call(statement: Statement<"CallStmt">, scope: FunctionScope): Step {
  const reads = statement.args.map((operand) => scope.read(operand));
  const result = scope.slot(statement.result);
  const callee = scope.callees.functions.get(statement.func);
  if (callee)
    return callee.arity === 2 ? ruleCall(callee, reads, result) : functionCall(callee, reads, result);
  const builtin = scope.callees.builtins.get(statement.func);
  if (!builtin) throw new Error(`no function or built-in ${statement.func}`);
  return builtinCall(builtin, reads, result, statement.location);
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

/** A rule depends on nothing but the two documents, so has one value as long as they are the same. */
function valueOfRule(
  rule: CompiledFunction,
  input: RegoValue | undefined,
  data: RegoValue | undefined,
  run: Run,
): RegoValue | undefined {
  const { world } = run;
  if (world.input !== input || world.data !== data) return rule.body([input, data], run);
  const known = world.values[rule.index];
  if (known !== undefined) return known === noValue ? undefined : known;
  const value = rule.body([input, data], run);
  world.values[rule.index] = value === undefined ? noValue : value;
  return value;
}

/**
 * A call by a path computed at run time. Where no rule has that path the statement is undefined; where the rule has no
 * value, so is the reference as a whole, which is what the blocks OPA's planner puts around it are for (it leaves four
 * of them, as OPA's own WebAssembly compiler does).
 */
export function dynamicCall(
  statement: Statement<"CallDynamicStmt">,
  depth: number,
  scope: FunctionScope,
): Step {
  const path = statement.path.map((operand) => scope.read(operand));
  const args = statement.args.map((local) => scope.slot(local));
  const result = scope.slot(statement.result);
  const leaveReference = Math.min(4, depth);
  const { at } = scope.callees;
  return (locals, run) => {
    const callee = at(readAll(path, locals));
    if (!callee || callee.arity !== args.length) return leave;
    const values = args.map((slot) => locals[slot]);
    const value =
      callee.arity === 2 ? valueOfRule(callee, values[0], values[1], run) : callee.body(values, run);
    locals[result] = value;
    return value === undefined ? leaveReference : goOn;
  };
}

/** Stops at the first undefined one; then nothing has that path. */
function readAll(reads: readonly Read[], locals: Locals): RegoValue[] {
  const values: RegoValue[] = [];
  for (const read of reads) {
    const value = read(locals);
    if (value === undefined) return [];
    values.push(value);
  }
  return values;
}

function builtinCall(
  builtin: Builtin,
  reads: readonly Read[],
  result: number,
  location: SourceLocation,
): Step {
  return (locals, run) => {
    const args: RegoValue[] = [];
    for (const read of reads) {
      const value = read(locals);
      if (value === undefined) return leave;
      args.push(value);
    }
    run.spend(builtin.isFree ? 1 : 1 + argumentCost(args));
    const value = answerOf(builtin, args, run, location);
    locals[result] = value;
    return value === undefined ? leave : goOn;
  };
}

function answerOf(
  builtin: Builtin,
  args: readonly RegoValue[],
  run: Run,
  location: SourceLocation,
): RegoValue | undefined {
  try {
    return builtin.call(args, run.context);
  } catch (error) {
    if (error instanceof LimitError || error instanceof CallError)
      throw new EvaluationError(error.code, `${builtin.name}: ${error.message}`, { cause: error, location });
    if (!(error instanceof BuiltinError)) throw error;
    if (!run.strictErrors) return undefined;
    throw new EvaluationError(error.code, `${builtin.name}: ${error.message}`, { cause: error, location });
  }
}
