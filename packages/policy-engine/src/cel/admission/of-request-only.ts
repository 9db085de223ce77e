import type { Ast } from "../ast.ts";
import type { CelType } from "../types.ts";
import { walk } from "./walk.ts";

/** What an expression may depend on to have one value for all policies that hold it: the request, and nothing of theirs. */
const ownToPolicies = ["variables", "params", "authorizer"];

/**
 * Results that cannot hold a quantity. A quantity changes when it is compared, as the server's does (quantity.ts), and
 * what one policy does to its own must not show in another.
 */
const settledKinds: ReadonlySet<string> = new Set([
  ...["bool", "bytes", "double", "duration", "int", "null", "string", "timestamp", "type", "uint"],
]);

/** Whether an expression has the same value in every policy, and one that all of them may hold. */
export function isOfRequestOnly({ expr }: Ast, resultType: CelType): boolean {
  const isSettled = settledKinds.has(resultType.kind);
  let isShared = true;
  walk(expr, (part) => {
    // Cautious: a loop's variable of such a name counts too.
    if (part.kind === "ident" && ownToPolicies.some((name) => part.name.split(".").includes(name)))
      isShared = false;
    if (!isSettled && part.kind === "call" && /^\.?quantity$/.test(part.name)) isShared = false;
  });
  return isShared;
}
