/** Plans written by hand, as JSON in the form OPA writes it. */
import type { StatementKind } from "./plan/statements.ts";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export const local = (number: number): Json => ({ type: "local", value: number });
export const bool = (value: boolean): Json => ({ type: "bool", value });
export const statement = (type: StatementKind, fields: { [key: string]: Json } = {}): Json => ({
  type,
  stmt: { ...fields, file: 0, row: 3, col: 1 },
});
export const block = (...stmts: Json[]): { [key: string]: Json } => ({ stmts });

export interface FunctionDraft {
  readonly name: string;
  readonly params: number[];
  readonly return: number;
  readonly blocks: Json[];
  readonly path?: string[];
}

/** Collects the static strings that statements refer to by number. */
export class PlanDraft {
  readonly #strings: string[] = [];

  /** Number of a static string. */
  string(value: string): number {
    const found = this.#strings.indexOf(value);
    return found >= 0 ? found : this.#strings.push(value) - 1;
  }

  /** An operand. */
  text(value: string): Json {
    return { type: "string_index", value: this.string(value) };
  }

  /** Statements that look up keys one in another, each in its own variable: source.a.b in `target`, target + 1. */
  dots(source: number, keys: readonly string[], target: number): Json[] {
    return keys.map((key, at) =>
      statement("DotStmt", {
        source: local(at === 0 ? source : target + at - 1),
        key: this.text(key),
        target: target + at,
      }),
    );
  }

  /** The result set of one binding, `result`. */
  result(value: number, scratch: number): Json[] {
    return [
      statement("MakeObjectStmt", { target: scratch }),
      statement("ObjectInsertStmt", { key: this.text("result"), value: local(value), object: scratch }),
      statement("ResultSetAddStmt", { value: scratch }),
    ];
  }

  plan(
    query: Json[],
    functions: readonly FunctionDraft[] = [],
    builtins: Readonly<Record<string, number>> = {},
  ): { [key: string]: Json } {
    return {
      static: {
        strings: this.#strings.map((value) => ({ value })),
        files: [{ value: "policy.rego" }],
        builtin_funcs: Object.entries(builtins).map(([name, arity]) => ({
          name,
          decl: { args: Array.from({ length: arity }, () => ({ type: "any" })), type: "function" },
        })),
      },
      plans: { plans: [{ name: "test/query", blocks: query }] },
      funcs: { funcs: functions.map((each) => ({ ...each })) },
    };
  }
}

/** Every kind of statement at least once, in a policy that makes sense: who may read what, as sets and objects. */
export function everyStatement(): { [key: string]: Json } {
  const draft = new PlanDraft();
  const names: FunctionDraft = {
    name: "g0.data.test.names",
    params: [0, 1],
    return: 2,
    path: ["g0", "test", "names"],
    blocks: [
      block(statement("MakeSetStmt", { target: 2 })),
      block(
        ...draft.dots(0, ["users"], 3),
        statement("ScanStmt", {
          source: 3,
          key: 4,
          value: 5,
          block: block(
            ...draft.dots(5, ["name"], 6),
            statement("NotStmt", {
              block: block(
                statement("EqualStmt", { a: local(6), b: draft.text("root") }),
                statement("NopStmt"),
              ),
            }),
            statement("SetAddStmt", { value: local(6), set: 2 }),
          ),
        }),
      ),
      block(statement("ReturnLocalStmt", { source: 2 })),
    ],
  };
  const limit: FunctionDraft = {
    name: "g0.data.test.limit",
    params: [0, 1, 2],
    return: 3,
    blocks: [
      block(
        statement("ResetLocalStmt", { target: 4 }),
        statement("CallStmt", { func: "plus", args: [local(2), local(2)], result: 5 }),
        statement("AssignVarOnceStmt", { source: local(5), target: 4 }),
      ),
      block(
        statement("IsDefinedStmt", { source: 4 }),
        statement("AssignVarOnceStmt", { source: local(4), target: 3 }),
      ),
      block(
        statement("IsUndefinedStmt", { source: 3 }),
        statement("MakeNullStmt", { target: 5 }),
        statement("AssignVarOnceStmt", { source: local(5), target: 3 }),
      ),
      block(statement("ReturnLocalStmt", { source: 3 })),
    ],
  };
  return draft.plan(
    [
      block(
        statement("IsDefinedStmt", { source: 0 }),
        statement("CallStmt", { func: names.name, args: [local(0), local(1)], result: 2 }),
        statement("LenStmt", { source: local(2), target: 3 }),
        statement("MakeNumberIntStmt", { value: 0, target: 4 }),
        statement("NotEqualStmt", { a: local(3), b: local(4) }),
        statement("CallStmt", { func: limit.name, args: [local(0), local(1), local(3)], result: 5 }),
        statement("IsSetStmt", { source: local(2) }),
        statement("MakeArrayStmt", { capacity: 2, target: 6 }),
        statement("ScanStmt", {
          source: 2,
          key: 7,
          value: 8,
          block: block(statement("ArrayAppendStmt", { value: local(8), array: 6 })),
        }),
        statement("IsArrayStmt", { source: local(6) }),
        statement("AssignIntStmt", { value: 7, target: 4 }),
        statement("MakeNumberRefStmt", { index: draft.string("12345678901234567890"), target: 9 }),
        statement("MakeObjectStmt", { target: 10 }),
        statement("ObjectInsertStmt", { key: draft.text("names"), value: local(6), object: 10 }),
        statement("ObjectInsertOnceStmt", { key: draft.text("limit"), value: local(5), object: 10 }),
        statement("ObjectInsertStmt", { key: draft.text("big"), value: local(9), object: 10 }),
        statement("IsObjectStmt", { source: local(10) }),
        statement("ObjectMergeStmt", { a: 1, b: 10, target: 11 }),
        statement("WithStmt", {
          local: 0,
          path: [draft.string("users")],
          value: local(6),
          block: block(
            statement("BlockStmt", {
              blocks: [
                block(
                  statement("BlockStmt", {
                    blocks: [
                      block(
                        statement("BlockStmt", {
                          blocks: [
                            block(
                              statement("CallDynamicStmt", {
                                args: [0, 1],
                                path: [draft.text("g0"), draft.text("test"), draft.text("names")],
                                result: 12,
                              }),
                              statement("ObjectInsertStmt", {
                                key: draft.text("none"),
                                value: local(12),
                                object: 10,
                              }),
                              statement("BreakStmt", { index: 1 }),
                            ),
                          ],
                        }),
                      ),
                    ],
                  }),
                ),
              ],
            }),
          ),
        }),
        statement("ObjectMergeStmt", { a: 1, b: 10, target: 11 }),
        statement("AssignVarStmt", { source: local(11), target: 13 }),
        ...draft.result(13, 14),
      ),
    ],
    [names, limit],
    { plus: 2 },
  );
}
