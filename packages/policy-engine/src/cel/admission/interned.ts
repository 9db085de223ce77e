import type { Ast } from "../ast.ts";
import type { CompiledExpression } from "./expression.ts";
import { walk } from "./walk.ts";

/** What an expression may depend on to have one value for all policies that hold it: the request, and nothing of theirs. */
const ownToPolicies = ["variables", "params", "authorizer"];

/** Whether an expression has the same value in every policy. */
export function isOfRequestOnly({ expr }: Ast): boolean {
  let isShared = true;
  walk(expr, (part) => {
    // Cautious: a loop's variable of such a name counts too.
    if (part.kind === "ident" && ownToPolicies.some((name) => part.name.split(".").includes(name)))
      isShared = false;
  });
  return isShared;
}

/**
 * Expressions that many policies hold in the same words, kept once: compiled once, in memory once, and of one identity,
 * by which one request computes the value once. An entry goes with the last policy that holds it.
 */
export class InternedExpressions {
  readonly #known = new Map<string, WeakRef<CompiledExpression>>();
  readonly #gone = new FinalizationRegistry<string>((key) => {
    // Another may have come under the key meanwhile.
    if (this.#known.get(key)?.deref() === undefined) this.#known.delete(key);
  });

  get size(): number {
    return this.#known.size;
  }

  get(key: string): CompiledExpression | undefined {
    return this.#known.get(key)?.deref();
  }

  add(key: string, expression: CompiledExpression): void {
    this.#known.set(key, new WeakRef(expression));
    this.#gone.register(expression, key);
  }
}
