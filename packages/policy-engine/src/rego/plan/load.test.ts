import { describe, expect, it } from "vitest";
import { block, everyStatement, type Json, local, PlanDraft, statement } from "../plan.test-kit.ts";
import { loadPlan } from "./index.ts";
import { statementFields } from "./statements.ts";

const draft = new PlanDraft();
const query = (...statements: Json[]) => draft.plan([block(...statements)]);
const loading = (plan: unknown) => () => loadPlan(plan);

describe("loadPlan", () => {
  it("reads every kind of statement", () => {
    const text = JSON.stringify(everyStatement());
    for (const kind of Object.keys(statementFields)) expect(text).toContain(`"${kind}"`);
    const plan = loadPlan(JSON.parse(text));
    expect(plan.plans.map(({ name }) => name)).toEqual(["test/query"]);
    expect(plan.functions.map(({ name }) => name)).toEqual(["g0.data.test.names", "g0.data.test.limit"]);
    expect([...plan.builtins]).toEqual([["plus", 2]]);
  });

  it("takes null and nothing for an empty list, as Go writes it", () => {
    expect(loadPlan({ plans: { plans: [{ name: "a", blocks: [{ stmts: null }] }] } }).plans).toHaveLength(1);
    expect(loadPlan({})).toEqual({ plans: [], functions: [], builtins: new Map() });
  });

  it("names the place of what it refuses", () => {
    const plan = query(
      statement("NopStmt"),
      statement("DotStmt", { source: local(0), key: local(-1), target: 2 }),
    );
    expect(loading(plan)).toThrow(
      expect.objectContaining({ code: "INVALID_PLAN", path: "plans[0].blocks[0].stmts[1].key" }),
    );
  });

  it.each<[string, Json, RegExp]>([
    ["an unknown statement", { type: "EvalStmt", stmt: {} }, /"EvalStmt" is no statement/],
    ["a statement named like a method", { type: "constructor", stmt: {} }, /is no statement/],
    ["a variable that is no integer", statement("MakeNullStmt", { target: 1.5 }), /must be an integer/],
    ["a variable beyond all bounds", statement("MakeNullStmt", { target: 2 ** 40 }), /must be between/],
    ["a missing field", statement("EqualStmt", { a: local(0) }), /\.b: must be an object/],
    [
      "a string that is not there",
      statement("MakeNumberRefStmt", { index: 9, target: 2 }),
      /must be between/,
    ],
    [
      "an operand of no known type",
      statement("IsSetStmt", { source: { type: "regex", value: 1 } }),
      /must be a local/,
    ],
    ["a break out of the function", statement("BreakStmt", { index: 1 }), /must be between 0 and 0/],
    [
      "a call of nothing",
      statement("CallStmt", { func: "http.send", args: [], result: 2 }),
      /"http.send", which is not there/,
    ],
  ])("refuses %s", (_, bad, message) => {
    expect(loading(query(bad))).toThrow(message);
  });

  it("refuses calls with too few or too many arguments", () => {
    const call = statement("CallStmt", { func: "plus", args: [local(0)], result: 2 });
    expect(loading(draft.plan([block(call)], [], { plus: 2 }))).toThrow(/plus with 1 arguments, it takes 2/);
  });

  it("refuses two functions of one name, and two plans", () => {
    const twin = { name: "f", params: [0, 1], return: 2, blocks: [] };
    expect(loading(draft.plan([], [twin, twin]))).toThrow(/second function or built-in called f/);
    const plan = { name: "p", blocks: [] };
    expect(loading({ plans: { plans: [plan, plan] } })).toThrow(/two plans have one name/);
  });

  it("refuses blocks nested without end", () => {
    let nested: Json = statement("NopStmt");
    for (let depth = 0; depth < 300; depth++) nested = statement("NotStmt", { block: block(nested) });
    expect(loading(query(nested))).toThrow(/nested more than 200 deep/);
  });

  describe("arrays", () => {
    const append = (array: number) => statement("ArrayAppendStmt", { value: local(0), array });
    const make = (target: number) => statement("MakeArrayStmt", { target });
    const scan = (...statements: Json[]) =>
      statement("ScanStmt", { source: 0, key: 8, value: 9, block: block(...statements) });

    it.each<[string, Json[]]>([
      ["made before", [make(2), append(2)]],
      ["made before a loop", [make(2), scan(append(2))]],
      ["made in each turn", [scan(make(2), append(2))]],
      ["made again in each turn", [make(2), scan(append(2), make(2))]],
    ])("may be appended to when %s", (_, statements) => {
      expect(loading(query(...statements))).not.toThrow();
    });

    it.each<[string, Json[]]>([
      ["the input", [append(0)]],
      [
        "the input under another name",
        [statement("AssignVarStmt", { source: local(0), target: 2 }), append(2)],
      ],
      [
        "a part of the input",
        [make(2), statement("DotStmt", { source: local(0), key: local(3), target: 2 }), append(2)],
      ],
      ["an element", [scan(append(9))]],
      ["what an earlier turn left", [make(2), scan(append(2), statement("MakeNullStmt", { target: 2 }))]],
      [
        "what a block made that may not have run",
        [statement("BlockStmt", { blocks: [block(make(2))] }), append(2)],
      ],
      [
        "what a block overwrote before it ended",
        [
          make(2),
          statement("BlockStmt", {
            blocks: [block(statement("AssignVarStmt", { source: local(0), target: 2 }), make(2))],
          }),
          append(2),
        ],
      ],
      [
        "a value put in its place",
        [make(2), statement("WithStmt", { local: 2, value: local(0), block: block(append(2)) })],
      ],
    ])("may not be appended to when they may be %s", (_, statements) => {
      expect(loading(query(...statements))).toThrow(/which may hold an array it did not make/);
    });
  });
});
