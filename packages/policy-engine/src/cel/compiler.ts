import { type CallExpr, type Expr, OPERATOR } from "./ast.ts";
import type { CheckedAst, Reference } from "./checked.ts";
import { compileAttribute } from "./compile-attribute.ts";
import { compileCall } from "./compile-call.ts";
import { compileComprehension } from "./compile-comprehension.ts";
import { compileList, compileMap, compileStruct } from "./compile-literal.ts";
import type { CelEnvironment } from "./environment.ts";
import { constantNode, type Eval, type Node } from "./frame.ts";
import type { CelType } from "./types.ts";

/** A variable of a comprehension: where it is kept, and how it gets its value if that is only made when asked for. */
export interface Local {
  readonly name: string;
  readonly slot: number;
  readonly init: Eval | undefined;
  readonly outer: Local | undefined;
}

/** Turns an expression into closures, one a node or fewer. */
export class Compiler {
  readonly env: CelEnvironment;
  readonly #checked: CheckedAst | undefined;
  readonly #globals = new Map<string, number>();
  #slots = 0;
  #local: Local | undefined;

  constructor(env: CelEnvironment, checked: CheckedAst | undefined) {
    this.env = env;
    this.#checked = checked;
  }

  get slotCount(): number {
    return this.#slots;
  }

  /**
   * `attributeCost` is what reading a variable or selecting from a value costs by itself: 1, but 0 in a branch of a
   * conditional or as an index, where cel-go does not count it (interpreter/runtimecost.go).
   */
  compile(expr: Expr, attributeCost = 1): Node {
    switch (expr.kind) {
      case "literal":
        return constantNode(expr.value);
      case "ident":
      case "select":
        return compileAttribute(this, expr, attributeCost);
      case "call":
        return isAccess(expr) ? compileAttribute(this, expr, attributeCost) : compileCall(this, expr);
      case "list":
        return compileList(this, expr);
      case "map":
        return compileMap(this, expr);
      case "struct":
        return compileStruct(this, expr);
      case "comprehension":
        return compileComprehension(this, expr);
    }
  }

  run(expr: Expr, attributeCost = 1): Eval {
    return this.compile(expr, attributeCost).run;
  }

  reference(expr: Expr): Reference | undefined {
    return this.#checked?.references.get(expr);
  }

  get isChecked(): boolean {
    return this.#checked !== undefined;
  }

  type(expr: Expr): CelType | undefined {
    return this.#checked?.types.get(expr);
  }

  newSlot(): number {
    return this.#slots++;
  }

  findLocal(name: string): Local | undefined {
    for (let local = this.#local; local !== undefined; local = local.outer)
      if (local.name === name) return local;
    return undefined;
  }

  /** Compiles with variables added to those in sight. */
  within<T>(variables: readonly { name: string; slot: number; init?: Eval }[], compile: () => T): T {
    const outer = this.#local;
    for (const { name, slot, init } of variables) this.#local = { name, slot, init, outer: this.#local };
    const compiled = compile();
    this.#local = outer;
    return compiled;
  }

  /** The place of a variable of the activation. */
  globalIndex(name: string): number {
    const known = this.#globals.get(name);
    if (known !== undefined) return known;
    const index = this.newSlot();
    this.#globals.set(name, index);
    return index;
  }
}

const ACCESS: ReadonlySet<string> = new Set([
  OPERATOR.index,
  OPERATOR.optionalIndex,
  OPERATOR.optionalSelect,
]);

/** Whether a call is one of the operators that reach into a value. */
export function isAccess(expr: CallExpr): boolean {
  return ACCESS.has(expr.name) && expr.target === undefined && expr.args.length === 2;
}
