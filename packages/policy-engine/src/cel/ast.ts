import type { CelValue } from "./values.ts";

/** Where an expression stands: an offset into its source, in UTF-16 code units. */
export type Offset = number;

export interface LiteralExpr {
  readonly kind: "literal";
  readonly at: Offset;
  readonly value: CelValue;
}

/** A name; one that starts with "." is looked up outside any container and any comprehension. */
export interface IdentExpr {
  readonly kind: "ident";
  readonly at: Offset;
  readonly name: string;
}

/** `operand.field`, or with `isTest` what `has(operand.field)` asks. */
export interface SelectExpr {
  readonly kind: "select";
  readonly at: Offset;
  readonly operand: Expr;
  readonly field: string;
  readonly isTest: boolean;
}

/** Operators are calls too, named as cel-go names them (`_+_`, `_?_:_`, `_[?_]`). */
export interface CallExpr {
  readonly kind: "call";
  readonly at: Offset;
  readonly name: string;
  readonly target: Expr | undefined;
  readonly args: readonly Expr[];
}

export interface ListExpr {
  readonly kind: "list";
  readonly at: Offset;
  readonly elements: readonly ListElement[];
}

export interface ListElement {
  readonly value: Expr;
  readonly isOptional: boolean;
}

export interface MapExpr {
  readonly kind: "map";
  readonly at: Offset;
  readonly entries: readonly MapEntry[];
}

export interface MapEntry {
  readonly at: Offset;
  readonly key: Expr;
  readonly value: Expr;
  readonly isOptional: boolean;
}

export interface StructExpr {
  readonly kind: "struct";
  readonly at: Offset;
  readonly typeName: string;
  readonly fields: readonly StructField[];
}

export interface StructField {
  readonly at: Offset;
  readonly name: string;
  readonly value: Expr;
  readonly isOptional: boolean;
}

/** A fold over a list or map: what the macros `all`, `map`, `cel.bind`… come down to. */
export interface ComprehensionExpr {
  readonly kind: "comprehension";
  readonly at: Offset;
  readonly range: Expr;
  /** The element of a list, the key of a map; with `iterVar2`, the index of a list. */
  readonly iterVar: string;
  /** The element of a list, the value of a map. */
  readonly iterVar2: string | undefined;
  readonly accuVar: string;
  readonly init: Expr;
  readonly condition: Expr;
  readonly step: Expr;
  readonly result: Expr;
}

export type Expr =
  | LiteralExpr
  | IdentExpr
  | SelectExpr
  | CallExpr
  | ListExpr
  | MapExpr
  | StructExpr
  | ComprehensionExpr;

/** A parsed expression and the text it came from. */
export interface Ast {
  readonly source: string;
  readonly expr: Expr;
}

/** Names that operators go by in calls, as in cel-go common/operators. */
export const OPERATOR = {
  add: "_+_",
  and: "_&&_",
  conditional: "_?_:_",
  divide: "_/_",
  equals: "_==_",
  greater: "_>_",
  greaterEquals: "_>=_",
  in: "@in",
  index: "_[_]",
  less: "_<_",
  lessEquals: "_<=_",
  modulo: "_%_",
  multiply: "_*_",
  negate: "-_",
  not: "!_",
  notEquals: "_!=_",
  notStrictlyFalse: "@not_strictly_false",
  optionalIndex: "_[?_]",
  optionalSelect: "_?._",
  or: "_||_",
  subtract: "_-_",
} as const;

/** The variable in which macros gather their result; "@" keeps expressions from naming it. */
export const ACCUMULATOR = "@result";

export interface ComprehensionParts {
  readonly range: Expr;
  readonly iterVar: string;
  readonly iterVar2?: string;
  readonly accuVar?: string;
  readonly init: Expr;
  readonly condition: Expr;
  readonly step: Expr;
  readonly result: Expr;
}

/** What a macro builds its code with. Nodes it makes stand where the macro was called. */
export interface ExprFactory {
  literal(value: CelValue): Expr;
  ident(name: string): Expr;
  accumulator(): Expr;
  select(operand: Expr, field: string): Expr;
  presenceTest(operand: Expr, field: string): Expr;
  call(name: string, ...args: readonly Expr[]): Expr;
  memberCall(name: string, target: Expr, ...args: readonly Expr[]): Expr;
  list(...elements: readonly Expr[]): Expr;
  emptyMap(): Expr;
  comprehension(parts: ComprehensionParts): Expr;
  /** A second instance of an expression, counted as new nodes. */
  copy(expr: Expr): Expr;
  /** Ends parsing with a mistake at `expr`. */
  fail(expr: Expr, message: string): never;
}
