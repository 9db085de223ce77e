import {
  ACCUMULATOR,
  type ComprehensionParts,
  type Expr,
  type ExprFactory,
  type ListElement,
  type MapEntry,
  type StructField,
} from "./ast.ts";
import { childrenOf } from "./children.ts";
import { copyExpr } from "./copy.ts";
import type { CelMacro } from "./macro.ts";
import type { CelValue } from "./values.ts";

/** Most nodes that one expression may have after macros are expanded; `optMap` doubles its target, so nesting it multiplies. */
const MAX_NODES = 200_000;

/**
 * Deepest expression, counted over nodes of every kind. cel-go bounds what nests within brackets and what follows one
 * another by dots apart, and each at 250 (parser.ts); together they multiply, and all that walks an expression recurs.
 */
const MAX_DEPTH = 500;

type Fail = (at: number, message: string) => never;

/** Makes the parser's nodes and puts macros' code in place of their calls. */
export class MacroExpander {
  readonly #macros: ReadonlyMap<string, CelMacro>;
  readonly #fail: Fail;
  /** Levels of nodes from each down to its deepest leaf. */
  readonly #depths = new WeakMap<Expr, number>();
  #nodes = 0;

  constructor(macros: readonly CelMacro[], fail: Fail) {
    this.#macros = new Map(
      macros.map((macro) => [macroKey(macro.name, macro.argCount, macro.isMember), macro]),
    );
    this.#fail = fail;
  }

  literalAt(at: number, value: CelValue): Expr {
    return this.#made({ kind: "literal", at, value });
  }

  identAt(at: number, name: string): Expr {
    return this.#made({ kind: "ident", at, name });
  }

  selectAt(at: number, operand: Expr, field: string): Expr {
    return this.#made({ kind: "select", at, operand, field, isTest: false });
  }

  listAt(at: number, elements: readonly ListElement[]): Expr {
    return this.#made({ kind: "list", at, elements });
  }

  mapAt(at: number, entries: readonly MapEntry[]): Expr {
    return this.#made({ kind: "map", at, entries });
  }

  structAt(at: number, typeName: string, fields: readonly StructField[]): Expr {
    return this.#made({ kind: "struct", at, typeName, fields });
  }

  call(at: number, name: string, ...args: readonly Expr[]): Expr {
    return (
      this.#expand(at, name, undefined, args) ??
      this.#made({ kind: "call", at, name, target: undefined, args })
    );
  }

  memberCall(at: number, name: string, target: Expr, args: readonly Expr[]): Expr {
    return this.#expand(at, name, target, args) ?? this.#made({ kind: "call", at, name, target, args });
  }

  #expand(at: number, name: string, target: Expr | undefined, args: readonly Expr[]): Expr | undefined {
    const isMember = target !== undefined;
    const macro =
      this.#macros.get(macroKey(name, args.length, isMember)) ??
      this.#macros.get(macroKey(name, "any", isMember));
    return macro?.expand(this.#factoryAt(at), target, args);
  }

  #made(expr: Expr): Expr {
    this.#count(expr.at);
    if (expr.kind === "literal" || expr.kind === "ident") return expr;
    let below = 1;
    for (const child of childrenOf(expr)) below = Math.max(below, this.#depths.get(child) ?? 1);
    if (below >= MAX_DEPTH) this.#fail(expr.at, "expression nested too deeply");
    this.#depths.set(expr, below + 1);
    return expr;
  }

  #copy(expr: Expr): Expr {
    const copy = copyExpr(expr, () => this.#count(expr.at));
    this.#depths.set(copy, this.#depths.get(expr) ?? 1);
    return copy;
  }

  #count(at: number): void {
    if (++this.#nodes > MAX_NODES)
      this.#fail(at, `expression too large: more than ${MAX_NODES} nodes after macro expansion`);
  }

  #factoryAt(at: number): ExprFactory {
    return {
      literal: (value) => this.literalAt(at, value),
      ident: (name) => this.identAt(at, name),
      accumulator: () => this.identAt(at, ACCUMULATOR),
      select: (operand, field) => this.selectAt(at, operand, field),
      presenceTest: (operand, field) => this.#made({ kind: "select", at, operand, field, isTest: true }),
      call: (name, ...args) => this.#made({ kind: "call", at, name, target: undefined, args }),
      memberCall: (name, target, ...args) => this.#made({ kind: "call", at, name, target, args }),
      list: (...elements) =>
        this.listAt(
          at,
          elements.map((value) => ({ value, isOptional: false })),
        ),
      emptyMap: () => this.mapAt(at, []),
      comprehension: (parts) => this.#comprehension(at, parts),
      copy: (expr) => this.#copy(expr),
      fail: (expr, message) => this.#fail(expr.at, message),
    };
  }

  #comprehension(at: number, parts: ComprehensionParts): Expr {
    const { iterVar2, accuVar = ACCUMULATOR, ...rest } = parts;
    return this.#made({ kind: "comprehension", at, iterVar2, accuVar, ...rest });
  }
}

const macroKey = (name: string, argCount: number | "any", isMember: boolean): string =>
  `${name}:${argCount}:${isMember}`;
