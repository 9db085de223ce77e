import type { Plan, Statement } from "../plan/statements.ts";
import type { Callees, CompiledFunction } from "./function.ts";

/**
 * The rule of a query that asks for nothing else: the plan of an entrypoint calls it, and answers one object that has its
 * value as `result`. Undefined for any other plan.
 */
export function entryRule({ blocks }: Plan, { functions }: Callees): CompiledFunction | undefined {
  const [block, ...others] = blocks;
  const [call, ...rest] = block?.statements.filter(({ kind }) => kind !== "NopStmt") ?? [];
  if (others.length > 0 || call?.kind !== "CallStmt") return undefined;
  const rule = functions.get(call.func);
  const asksForDocuments = call.args.every(({ kind }, at) => kind === "local" && isLocal(call, at));
  if (rule?.arity !== 2 || !asksForDocuments || call.result < 2) return undefined;
  return isAnswer(rest, call.result) ? rule : undefined;
}

function isLocal({ args }: Statement<"CallStmt">, number: number): boolean {
  const operand = args[number];
  return operand?.kind === "local" && operand.local === number;
}

/** `result := value` by way of another variable or two, and then the object of it. */
function isAnswer(statements: readonly Statement[], value: number): boolean {
  let at = 0;
  let held = value;
  for (let next = statements[at]; next?.kind === "AssignVarStmt"; next = statements[++at]) {
    if (next.source.kind !== "local" || next.source.local !== held || next.target < 2) return false;
    held = next.target;
  }
  const [made, inserted, added, ...others] = statements.slice(at);
  return (
    made?.kind === "MakeObjectStmt" &&
    made.target !== held &&
    inserted?.kind === "ObjectInsertStmt" &&
    inserted.object === made.target &&
    inserted.key.kind === "constant" &&
    inserted.key.value === "result" &&
    inserted.value.kind === "local" &&
    inserted.value.local === held &&
    added?.kind === "ResultSetAddStmt" &&
    added.value === made.target &&
    others.length === 0
  );
}
