/** Whether a block can tell in which order its turns came. */
import { nestedBlocks } from "../plan/made-arrays.ts";
import type { Block } from "../plan/statements.ts";

/** Built-ins whose effects are seen in the order of their calls. */
const spoken = new Set(["internal.print", "print", "trace"]);

/**
 * Sets, objects and single values come out the same in any order. Printed lines, results, and arrays that were there
 * before the block do not; an array each turn makes for itself does.
 */
export function isOrderSeen(block: Block, outside: ReadonlySet<number> = new Set()): boolean {
  const made = new Set(outside);
  return block.statements.some((statement) => {
    switch (statement.kind) {
      case "MakeArrayStmt":
        made.add(statement.target);
        return false;
      case "ArrayAppendStmt":
        return !made.has(statement.array);
      case "ResultSetAddStmt":
        return true;
      case "CallStmt":
        return spoken.has(statement.func);
      default:
        return nestedBlocks(statement).some((nested) => isOrderSeen(nested, made));
    }
  });
}
