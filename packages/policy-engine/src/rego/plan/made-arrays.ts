/**
 * Arrays of the input and of data are JavaScript's own, like those a policy makes, so appending to a wrong one would
 * change what is judged. This shows, before anything runs, that a plan appends only to arrays it made itself; what
 * OPA's planner writes always passes. (Objects and sets need no such proof: those a policy makes have own classes.)
 */
import { type Block, type FieldKind, type Statement, statementFields } from "./statements.ts";

/** Calls `refuse` where a statement may append to an array that this function did not make. */
export function checkArrays(blocks: readonly Block[], refuse: (problem: string) => never): void {
  for (const block of blocks) checkBlock(block, new Set(), refuse);
}

/** `before` are the variables that surely hold an array made here. What a block makes counts only within it. */
function checkBlock(block: Block, before: ReadonlySet<number>, refuse: (problem: string) => never): void {
  const made = new Set(before);
  for (const statement of block.statements) checkStatement(statement, made, refuse);
}

function checkStatement(statement: Statement, made: Set<number>, refuse: (problem: string) => never): void {
  if (statement.kind === "ArrayAppendStmt" && !made.has(statement.array))
    refuse(`appends to variable ${statement.array}, which may hold an array it did not make`);
  if (statement.kind === "MakeArrayStmt") {
    made.add(statement.target);
    return;
  }
  const nested = nestedBlocks(statement);
  // A scan runs its block again with what the last turn left behind; a with restores its variable.
  for (const local of [...assigned(statement), ...(nested.length > 0 ? overwritten(nested) : [])])
    made.delete(local);
  for (const block of nested) checkBlock(block, made, refuse);
}

export function nestedBlocks(statement: Statement): readonly Block[] {
  switch (statement.kind) {
    case "BlockStmt":
      return statement.blocks;
    case "ScanStmt":
    case "NotStmt":
    case "WithStmt":
      return [statement.block];
    default:
      return [];
  }
}

/** Fields that name the variable a statement writes. */
const writes = new Set(["target", "result"]);

/** The variables that a statement gives another value. */
export function assigned(statement: Statement): readonly number[] {
  if (statement.kind === "ScanStmt") return [statement.key, statement.value];
  if (statement.kind === "WithStmt") return [statement.local];
  const fields = Object.entries<FieldKind>(statementFields[statement.kind]);
  const locals: number[] = [];
  for (const [name, kind] of fields) {
    if (kind !== "local" || !writes.has(name)) continue;
    const local: unknown = Reflect.get(statement, name);
    if (typeof local === "number") locals.push(local);
  }
  return locals;
}

/** Variables that these blocks, or blocks within them, give something other than a new array. */
function overwritten(blocks: readonly Block[]): readonly number[] {
  const found: number[] = [];
  const open = [...blocks];
  for (let block = open.pop(); block; block = open.pop()) {
    for (const statement of block.statements) {
      if (statement.kind !== "MakeArrayStmt") found.push(...assigned(statement));
      open.push(...nestedBlocks(statement));
    }
  }
  return found;
}
