import type { Ast, Expr } from "./ast.ts";
import type { Overload } from "./library.ts";
import type { CelType } from "./types.ts";
import type { CelValue } from "./values.ts";

/** What the checker found a name, or a dotted chain of names, to mean. */
export interface IdentReference {
  readonly kind: "ident";
  /** Fully qualified. */
  readonly name: string;
  /** A variable of a comprehension around it. */
  readonly isLocal: boolean;
  /** Set when the name is a constant. */
  readonly constant?: CelValue;
}

/** Which function, and which of its overloads, a call may come down to. */
export interface CallReference {
  readonly kind: "call";
  readonly name: string;
  readonly overloads: readonly Overload[];
  /** The target of the call is the namespace of the function's name and no value. */
  readonly isNamespaced: boolean;
}

export type Reference = IdentReference | CallReference;

/** An expression whose types fit. */
export interface CheckedAst extends Ast {
  readonly type: CelType;
  readonly types: ReadonlyMap<Expr, CelType>;
  readonly references: ReadonlyMap<Expr, Reference>;
}
