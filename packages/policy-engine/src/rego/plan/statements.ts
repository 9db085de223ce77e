/**
 * The statements of OPA's plan (its package v1/ir). One table says which fields each has; the types and the loader
 * both follow from it.
 */

/** What a statement reads: a variable of its function, or a constant. */
export type Operand =
  | { readonly kind: "local"; readonly local: number }
  | { readonly kind: "constant"; readonly value: string | boolean };

/** Where in the policy's source a statement comes from; rows and columns count from 1, 0 is unknown. */
export interface SourceLocation {
  readonly file: string;
  readonly row: number;
  readonly col: number;
}

export interface Block {
  readonly statements: readonly Statement[];
}

interface FieldTypes {
  readonly operand: Operand;
  readonly operands: readonly Operand[];
  /** Number of a variable; 0 is the input and 1 is data. */
  readonly local: number;
  readonly locals: readonly number[];
  readonly block: Block;
  readonly blocks: readonly Block[];
  readonly integer: number;
  /** How many enclosing blocks to leave beside the innermost. */
  readonly depth: number;
  /** Index into the static strings, loaded as that string. */
  readonly text: string;
  readonly texts: readonly string[];
  /** Name of a function of the plan or of a built-in. */
  readonly callee: string;
}

export type FieldKind = keyof FieldTypes;

export const statementFields = {
  ReturnLocalStmt: { source: "local" },
  CallStmt: { func: "callee", args: "operands", result: "local" },
  CallDynamicStmt: { args: "locals", result: "local", path: "operands" },
  BlockStmt: { blocks: "blocks" },
  BreakStmt: { index: "depth" },
  DotStmt: { source: "operand", key: "operand", target: "local" },
  LenStmt: { source: "operand", target: "local" },
  ScanStmt: { source: "local", key: "local", value: "local", block: "block" },
  NotStmt: { block: "block" },
  AssignIntStmt: { value: "integer", target: "local" },
  AssignVarStmt: { source: "operand", target: "local" },
  AssignVarOnceStmt: { source: "operand", target: "local" },
  ResetLocalStmt: { target: "local" },
  MakeNullStmt: { target: "local" },
  MakeNumberIntStmt: { value: "integer", target: "local" },
  MakeNumberRefStmt: { index: "text", target: "local" },
  MakeArrayStmt: { target: "local" },
  MakeObjectStmt: { target: "local" },
  MakeSetStmt: { target: "local" },
  EqualStmt: { a: "operand", b: "operand" },
  NotEqualStmt: { a: "operand", b: "operand" },
  IsArrayStmt: { source: "operand" },
  IsObjectStmt: { source: "operand" },
  IsSetStmt: { source: "operand" },
  IsDefinedStmt: { source: "local" },
  IsUndefinedStmt: { source: "local" },
  ArrayAppendStmt: { value: "operand", array: "local" },
  ObjectInsertStmt: { key: "operand", value: "operand", object: "local" },
  ObjectInsertOnceStmt: { key: "operand", value: "operand", object: "local" },
  ObjectMergeStmt: { a: "local", b: "local", target: "local" },
  SetAddStmt: { value: "operand", set: "local" },
  WithStmt: { local: "local", path: "texts", value: "operand", block: "block" },
  NopStmt: {},
  ResultSetAddStmt: { value: "local" },
} as const satisfies Record<string, Readonly<Record<string, FieldKind>>>;

type Fields = typeof statementFields;
export type StatementKind = keyof Fields;

type StatementOf<K extends StatementKind> = { readonly kind: K; readonly location: SourceLocation } & {
  readonly [F in keyof Fields[K]]: Fields[K][F] extends FieldKind ? FieldTypes[Fields[K][F]] : never;
};

/** One statement, told apart by `kind`: `Statement<"DotStmt">`, or any with no argument. */
export type Statement<K extends StatementKind = StatementKind> = { [Each in K]: StatementOf<Each> }[K];

export interface PlanFunction {
  readonly name: string;
  readonly params: readonly number[];
  readonly result: number;
  readonly blocks: readonly Block[];
  /** Where dynamic calls find it; empty for functions that have no place in the tree. */
  readonly path: readonly string[];
}

/** What answers one query: OPA's name for it is the entrypoint's path, `shieldx/deny`. */
export interface Plan {
  readonly name: string;
  readonly blocks: readonly Block[];
}

export interface RegoPlan {
  readonly plans: readonly Plan[];
  readonly functions: readonly PlanFunction[];
  /** Built-ins it calls, and how many arguments each is declared with. */
  readonly builtins: ReadonlyMap<string, number>;
}
