/** Turns a plan's functions and queries into closures. No source text is made, so a strict content policy holds. */
import type { Builtin } from "../builtins/contract.ts";
import { numberLiteral } from "../number-literal.ts";
import type { Block, Plan, PlanFunction, RegoPlan, Statement } from "../plan/statements.ts";
import { isArray, isObject, isSet, RegoObject, RegoSet, type RegoValue } from "../values.ts";
import * as calls from "./calls.ts";
import * as control from "./control.ts";
import { entryRule } from "./entry-rule.ts";
import { type Callees, CompiledFunction, FunctionScope } from "./function.ts";
import { PathTree } from "./path-tree.ts";
import * as reads from "./reads.ts";
import type { Run } from "./run.ts";
import { scan } from "./scan.ts";
import { findSharing } from "./shareable.ts";
import { afterBlock, goOn, type Locals, type Observe, observed, type Step, sequence } from "./step.ts";
import * as writes from "./writes.ts";

/** Runs a query's plan; its bindings are then in `run.results`. */
export interface Query {
  run: (run: Run) => void;
  /** The rule whose value is all that the query answers, as `result`: as entrypoints have it. */
  readonly rule: CompiledFunction | undefined;
}

export interface CompiledPlan {
  readonly callees: Callees;
  readonly queries: ReadonlyMap<string, Query>;
}

/** @param observe sees which statements run: all of them, as no value of another policy's rule is taken then */
export function compilePlan(
  plan: RegoPlan,
  builtins: ReadonlyMap<string, Builtin>,
  observe?: Observe,
): CompiledPlan {
  const functions = new Map<string, CompiledFunction>();
  const tree = new PathTree();
  for (const [index, { name, params, path }] of plan.functions.entries()) {
    const compiled = new CompiledFunction(name, index, params.length);
    functions.set(name, compiled);
    if (path.length > 0) tree.set(path, compiled);
  }
  const callees: Callees = { functions, builtins, at: (path) => tree.get(path), observe };
  for (const source of plan.functions) {
    const compiled = functions.get(source.name);
    if (compiled) compiled.body = compileFunction(source, callees);
  }
  if (observe === undefined) findSharing(plan, functions);
  return { callees, queries: new Map(plan.plans.map((query) => [query.name, compileQuery(query, callees)])) };
}

function compileFunction(source: PlanFunction, callees: Callees): CompiledFunction["body"] {
  const scope = new FunctionScope(callees, source);
  const params = source.params.map((local) => scope.slot(local));
  const blocks = compileBlocks(source.blocks, scope);
  return (args, run) => {
    run.enter();
    const locals: Locals = new Array(scope.size);
    for (let at = 0; at < params.length; at++) locals[params[at] ?? 0] = args[at];
    run.value = undefined;
    blocks(locals, run);
    const { value } = run;
    run.value = undefined;
    run.exit();
    return value;
  };
}

function compileQuery(query: Plan, callees: Callees): Query {
  const scope = new FunctionScope(callees);
  const blocks = compileBlocks(query.blocks, scope);
  const run: Query["run"] = (state) => {
    const locals: Locals = new Array(scope.size);
    locals[0] = state.world.input;
    locals[1] = state.world.data;
    blocks(locals, state);
  };
  return { run, rule: entryRule(query, callees) };
}

/** Blocks of a function or query: one after the other, whether or not those before were undefined. */
function compileBlocks(blocks: readonly Block[], scope: FunctionScope): Step {
  const steps = blocks.map((block) => compileBlock(block, scope, 1));
  return (locals, run) => {
    for (const step of steps) {
      const next = afterBlock(step(locals, run));
      if (next !== goOn) return next;
    }
    return goOn;
  };
}

function compileBlock(block: Block, scope: FunctionScope, depth: number): Step {
  const { observe } = scope.callees;
  return sequence(
    block.statements.map((statement) =>
      observed(statement, compileStatement(statement, scope, depth), observe),
    ),
  );
}

function compileStatement(statement: Statement, scope: FunctionScope, depth: number): Step {
  const inner = (block: Block): Step => compileBlock(block, scope, depth + 1);
  switch (statement.kind) {
    case "ReturnLocalStmt":
      return control.returnLocal(statement, scope);
    case "BlockStmt":
      return control.blocks(statement, inner);
    case "BreakStmt": {
      const next = statement.index + 1;
      return () => next;
    }
    case "ScanStmt":
      return scan(statement, inner, scope);
    case "NotStmt":
      return control.not(statement, inner);
    case "WithStmt":
      return control.withValue(statement, inner, scope);
    case "CallStmt":
      return calls.call(statement, scope);
    case "CallDynamicStmt":
      return calls.dynamicCall(statement, depth, scope);
    case "NopStmt":
      return () => goOn;
    case "ResultSetAddStmt": {
      const slot = scope.slot(statement.value);
      return (locals, run) => {
        const value = locals[slot];
        if (value !== undefined) run.results.push(value);
        return goOn;
      };
    }
    default:
      return compileValueStatement(statement, scope);
  }
}

type ControlKind =
  | "ReturnLocalStmt"
  | "BlockStmt"
  | "BreakStmt"
  | "ScanStmt"
  | "NotStmt"
  | "WithStmt"
  | "CallStmt"
  | "CallDynamicStmt"
  | "NopStmt"
  | "ResultSetAddStmt";

function compileValueStatement(
  statement: Exclude<Statement, { kind: ControlKind }>,
  scope: FunctionScope,
): Step {
  switch (statement.kind) {
    case "DotStmt":
      return reads.dot(statement, scope);
    case "LenStmt":
      return reads.length(statement, scope);
    case "EqualStmt":
      return reads.equality(statement.a, statement.b, true, scope);
    case "NotEqualStmt":
      return reads.equality(statement.a, statement.b, false, scope);
    case "IsArrayStmt":
      return reads.kindCheck(statement.source, isArray, scope);
    case "IsObjectStmt":
      return reads.kindCheck(statement.source, isObject, scope);
    case "IsSetStmt":
      return reads.kindCheck(statement.source, isSet, scope);
    case "IsDefinedStmt":
      return reads.definedness(statement.source, true, scope);
    case "IsUndefinedStmt":
      return reads.definedness(statement.source, false, scope);
    case "AssignVarStmt":
      return writes.assign(statement, scope);
    case "AssignVarOnceStmt":
      return writes.assignOnce(statement, scope);
    case "AssignIntStmt":
    case "MakeNumberIntStmt":
      return constant(statement.target, statement.value, scope);
    case "MakeNumberRefStmt":
      return constant(statement.target, numberLiteral(statement.index), scope);
    case "MakeNullStmt":
      return constant(statement.target, null, scope);
    case "ResetLocalStmt":
      return constant(statement.target, undefined, scope);
    case "MakeArrayStmt":
      return writes.make(statement.target, () => [], scope);
    case "MakeObjectStmt":
      return writes.make(statement.target, () => new RegoObject(), scope);
    case "MakeSetStmt":
      return writes.make(statement.target, () => new RegoSet(), scope);
    case "ArrayAppendStmt":
      return writes.append(statement, scope);
    case "ObjectInsertStmt":
    case "ObjectInsertOnceStmt":
      return writes.insert(statement, scope);
    case "ObjectMergeStmt":
      return writes.merge(statement, scope);
    case "SetAddStmt":
      return writes.addToSet(statement, scope);
    default:
      return statement satisfies never;
  }
}

function constant(local: number, value: RegoValue | undefined, scope: FunctionScope): Step {
  const slot = scope.slot(local);
  return (locals) => {
    locals[slot] = value;
    return goOn;
  };
}
