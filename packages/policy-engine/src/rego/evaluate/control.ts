/** Statements that hold blocks, and those that leave them. */
import type { Block, Statement } from "../plan/statements.ts";
import { isObject, RegoObject, RegoSet, type RegoValue } from "../values.ts";
import type { FunctionScope } from "./function.ts";
import type { Run } from "./run.ts";
import { afterBlock, goOn, leave, returned, type Step } from "./step.ts";

export type CompileBlock = (block: Block) => Step;

export function blocks(statement: Statement<"BlockStmt">, compile: CompileBlock): Step {
  const steps = statement.blocks.map(compile);
  const [only] = steps;
  if (only && steps.length === 1) return (locals, run) => afterBlock(only(locals, run));
  return (locals, run) => {
    for (const step of steps) {
      const next = afterBlock(step(locals, run));
      if (next !== goOn) return next;
    }
    return goOn;
  };
}

/** Holds where its block ends early, so is undefined where the block runs to its end. */
export function not(statement: Statement<"NotStmt">, compile: CompileBlock): Step {
  const step = compile(statement.block);
  return (locals, run) => {
    const next = step(locals, run);
    return next === goOn ? leave : afterBlock(next);
  };
}

export function returnLocal(statement: Statement<"ReturnLocalStmt">, scope: FunctionScope): Step {
  const slot = scope.slot(statement.source);
  return (locals, run) => {
    const value = locals[slot];
    freeze(value);
    run.value = value;
    return returned;
  };
}

/** From here on others may hold it, so it is not to be filled further. */
export function freeze(value: RegoValue | undefined): void {
  if (value instanceof RegoObject || value instanceof RegoSet) value.isFrozen = true;
}

/** Runs its block with a variable, or a place within it, replaced; undefined where the block ends early. */
export function withValue(
  statement: Statement<"WithStmt">,
  compile: CompileBlock,
  scope: FunctionScope,
): Step {
  const slot = scope.slot(statement.local);
  const read = scope.read(statement.value);
  const body = compile(statement.block);
  const { path } = statement;
  return (locals, run) => {
    const before = locals[slot];
    const { world } = run;
    const value = read(locals);
    locals[slot] = upsert(before, path, value, run);
    run.switchWorld(locals[0], locals[1]);
    const next = body(locals, run);
    locals[slot] = before;
    run.world = world;
    return next;
  };
}

/**
 * A copy of the document with one place replaced; what is missing or no object on the way becomes an object. With no path
 * the value stands for the whole.
 */
export function upsert(
  document: RegoValue | undefined,
  path: readonly string[],
  value: RegoValue | undefined,
  run: Run,
  at = 0,
): RegoValue | undefined {
  const key = path[at];
  if (key === undefined || value === undefined) return value;
  if (document instanceof RegoObject) {
    run.spend(document.size);
    const copy = new RegoObject(document.entries());
    copy.set(key, upsert(document.get(key), path, value, run, at + 1) ?? null);
    return copy;
  }
  const object = document !== undefined && isObject(document) ? document : {};
  const inner =
    upsert(Object.hasOwn(object, key) ? object[key] : undefined, path, value, run, at + 1) ?? null;
  run.spend(Object.keys(object).length);
  // A computed key in a literal is always an own key, `__proto__` too.
  return { ...object, [key]: inner };
}
