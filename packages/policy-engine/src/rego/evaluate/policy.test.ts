import { describe, expect, it } from "vitest";
import { type Builtin, BuiltinError, LimitError } from "../builtins/contract.ts";
import { loadPlan } from "../plan/index.ts";
import {
  block,
  bool,
  everyStatement,
  type FunctionDraft,
  type Json,
  local,
  PlanDraft,
  statement,
} from "../plan.test-kit.ts";
import { RegoObject, RegoSet, type RegoValue } from "../values.ts";
import { compileRego, type QueryContext } from "./index.ts";

const counted = { calls: 0 };
const builtins = new Map<string, Builtin>(
  (
    [
      { name: "plus", arity: 2, call: ([a, b]) => Number(a) + Number(b) },
      { name: "count_calls", arity: 0, call: () => ++counted.calls },
      {
        name: "fail",
        arity: 0,
        call: () => {
          throw new BuiltinError("eval_type_error", "operand 1 must be string but got number");
        },
      },
      {
        name: "too_large",
        arity: 0,
        call: () => {
          throw new LimitError("the result would have more than 10 elements");
        },
      },
      { name: "look_at", arity: 1, call: () => true },
      {
        name: "broken",
        arity: 0,
        call: () => {
          throw new TypeError("a bug");
        },
      },
      {
        name: "print",
        arity: 1,
        call: ([value], { print }) => {
          print(String(value));
          return true;
        },
      },
      { name: "set_of", arity: 1, call: ([value]) => new RegoSet(value as RegoValue[]) },
    ] satisfies Builtin[]
  ).map((each) => [each.name, each]),
);

const arities = {
  plus: 2,
  count_calls: 0,
  fail: 0,
  too_large: 0,
  look_at: 1,
  broken: 0,
  print: 1,
  set_of: 1,
};

function answers(
  plan: Json,
  input?: RegoValue,
  context: Partial<QueryContext> = {},
  data: Record<string, RegoValue> = {},
) {
  return compileRego(loadPlan(plan), builtins)
    .evaluate("test/query", {
      ...(input === undefined ? {} : { input }),
      data,
      context: { nowNs: 0n, ...context },
    })
    .map(({ result }) => result);
}

const draft = new PlanDraft();
const query = (statements: Json[], functions: FunctionDraft[] = []) =>
  draft.plan([block(...statements)], functions, arities);
const call = (func: string, args: Json[], result: number) => statement("CallStmt", { func, args, result });
const rule = (name: string, ...blocks: Json[]): FunctionDraft => ({
  name: `g0.data.${name}`,
  params: [0, 1],
  return: 2,
  path: ["g0", name],
  blocks: [...blocks, block(statement("ReturnLocalStmt", { source: 2 }))],
});

describe("an evaluated plan", () => {
  it("runs every kind of statement", () => {
    const input = { users: [{ name: "zoe" }, { name: "root" }, { name: "ann" }] };
    expect(answers(everyStatement(), input, {}, { base: 1 })).toEqual([
      { base: 1, names: ["ann", "zoe"], limit: 4, big: 12345678901234567890n, none: [] },
    ]);
    expect(answers(everyStatement())).toEqual([]);
    expect(answers(everyStatement(), { users: "none" })).toEqual([]);
  });

  it("looks up own keys only", () => {
    const hidden = query([...draft.dots(0, ["constructor"], 2), ...draft.result(2, 5)]);
    expect(answers(hidden, {})).toEqual([]);
    expect(answers(hidden, JSON.parse('{"constructor": 1}'))).toEqual([1]);
    const proto = query([...draft.dots(0, ["__proto__", "x"], 2), ...draft.result(3, 5)]);
    expect(answers(proto, {})).toEqual([]);
    expect(answers(proto, JSON.parse('{"__proto__": {"x": 2}}'))).toEqual([2]);
    expect(answers(proto, [])).toEqual([]);
    expect(answers(query([...draft.dots(0, ["length"], 2), ...draft.result(2, 5)]), [1])).toEqual([]);
  });

  it("answers objects whose keys are no prototypes", () => {
    const plan = query([
      statement("MakeObjectStmt", { target: 2 }),
      statement("ObjectInsertStmt", { key: draft.text("__proto__"), value: bool(true), object: 2 }),
      ...draft.result(2, 3),
    ]);
    const [result] = answers(plan);
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
    expect(JSON.stringify(result)).toBe('{"__proto__":true}');
  });

  it("asks a rule once for the same documents, and again under others", () => {
    counted.calls = 0;
    const once = rule("once", block(call("count_calls", [], 2)));
    const ask = (result: number) => call(once.name, [local(0), local(1)], result);
    const plan = query(
      [
        ask(2),
        ask(3),
        statement("AssignVarStmt", { source: local(0), target: 8 }),
        statement("WithStmt", {
          local: 0,
          path: [],
          value: draft.text("other"),
          block: block(
            ask(4),
            ask(5),
            // How a plan goes back to the input of before, within the block.
            statement("WithStmt", {
              local: 0,
              path: [],
              value: local(8),
              block: block(
                ask(6),
                statement("MakeArrayStmt", { target: 7 }),
                ...[2, 3, 4, 5, 6].map((each) =>
                  statement("ArrayAppendStmt", { value: local(each), array: 7 }),
                ),
                ...draft.result(7, 9),
              ),
            }),
          ),
        }),
      ],
      [once],
    );
    expect(answers(plan, {})).toEqual([[1, 1, 2, 2, 1]]);
  });

  it("replaces a place in a document and leaves the document alone", () => {
    const plan = query([
      statement("WithStmt", {
        local: 0,
        path: [draft.string("a"), draft.string("__proto__"), draft.string("c")],
        value: bool(true),
        block: block(...draft.result(0, 3)),
      }),
      ...draft.result(0, 3),
    ]);
    const input = { a: { b: 1 }, d: 2 };
    const results = answers(plan, input);
    expect(results.map((each) => JSON.stringify(each))).toEqual([
      '{"a":{"b":1,"__proto__":{"c":true}},"d":2}',
      '{"a":{"b":1},"d":2}',
    ]);
    expect(input).toEqual({ a: { b: 1 }, d: 2 });
    expect(answers(plan, 1)[0]).toEqual(JSON.parse('{"a":{"__proto__":{"c":true}}}'));
  });

  it("scans in Rego's order where that is seen", () => {
    const members = query([
      call("set_of", [local(0)], 2),
      statement("MakeArrayStmt", { target: 3 }),
      statement("ScanStmt", {
        source: 2,
        key: 4,
        value: 5,
        block: block(statement("ArrayAppendStmt", { value: local(4), array: 3 })),
      }),
      ...draft.result(3, 6),
    ]);
    const mixed: RegoValue[] = [{ b: 1 }, [2], "b", 10, 9, true, null, "a", [1, 5], false, { a: 1 }];
    expect(answers(members, mixed)).toEqual([
      [null, false, true, 9, 10, "a", "b", [1, 5], [2], { a: 1 }, { b: 1 }],
    ]);
    const astral = "\u{1F600}";
    const keys = new RegoObject([
      [astral, 1],
      ["\uFF5E", 1],
      ["z", 1],
      ["10", 1],
      ["9", 1],
    ]);
    const inOrder = ["10", "9", "z", "\uFF5E", astral];
    const objectKeys = query([
      statement("MakeArrayStmt", { target: 3 }),
      statement("ScanStmt", {
        source: 0,
        key: 4,
        value: 5,
        block: block(statement("ArrayAppendStmt", { value: local(4), array: 3 })),
      }),
      ...draft.result(3, 6),
    ]);
    expect(answers(objectKeys, keys)).toEqual([inOrder]);
    expect(answers(objectKeys, { [astral]: 1, "\uFF5E": 1, z: 1, 10: 1, 9: 1 })).toEqual([inOrder]);
  });
});

describe("errors", () => {
  const failing = (statements: Json[], functions: FunctionDraft[] = []) => query(statements, functions);

  it("of a built-in make its call undefined, or end the query where errors are strict", () => {
    const plan = failing([call("fail", [], 2), ...draft.result(2, 3)]);
    expect(answers(plan)).toEqual([]);
    expect(() => answers(plan, 1, { strictErrors: true })).toThrow(
      expect.objectContaining({
        code: "eval_type_error",
        message: "fail: operand 1 must be string but got number",
        location: { file: "policy.rego", row: 3, col: 1 },
      }),
    );
  });

  it("that are bugs of a built-in become an internal error with its cause", () => {
    expect(() => answers(failing([call("broken", [], 2)]))).toThrow(
      expect.objectContaining({ code: "eval_internal_error", cause: expect.any(TypeError) }),
    );
  });

  it("tell that a rule has two values", () => {
    const once = (value: Json) => statement("AssignVarOnceStmt", { source: value, target: 2 });
    const twice = rule("twice", block(once(bool(true))), block(once(draft.text("x"))));
    expect(() => answers(failing([call(twice.name, [local(0), local(1)], 2)], [twice]))).toThrow(
      expect.objectContaining({
        code: "eval_conflict_error",
        message: "rule data.twice produced conflicting values",
      }),
    );
    const same = rule("same", block(once(bool(true))), block(once(bool(true))));
    expect(
      answers(failing([call(same.name, [local(0), local(1)], 2), ...draft.result(2, 3)], [same])),
    ).toEqual([true]);
  });

  it("tell that an object has two values for a key", () => {
    const insert = (value: Json) =>
      statement("ObjectInsertOnceStmt", { key: draft.text("k"), value, object: 2 });
    const plan = (second: Json) =>
      failing([
        statement("MakeObjectStmt", { target: 2 }),
        insert(bool(true)),
        insert(second),
        ...draft.result(2, 3),
      ]);
    expect(answers(plan(bool(true)))).toEqual([{ k: true }]);
    expect(() => answers(plan(bool(false)))).toThrow(
      expect.objectContaining({ code: "eval_conflict_error", message: "object keys must be unique" }),
    );
  });

  it("keep a plan from changing what it was given, or what a rule has answered", () => {
    const insert = (object: number) =>
      failing([statement("ObjectInsertStmt", { key: draft.text("k"), value: bool(true), object })]);
    const input = Object.freeze({});
    expect(() => answers(insert(0), input)).toThrow(expect.objectContaining({ code: "eval_conflict_error" }));
    expect(() => answers(insert(0), new RegoSet())).toThrow(
      expect.objectContaining({ code: "eval_conflict_error" }),
    );
    const made = rule("made", block(statement("MakeObjectStmt", { target: 2 })));
    const ask = call(made.name, [local(0), local(1)], 3);
    const fill = statement("ObjectInsertStmt", { key: draft.text("k"), value: bool(true), object: 3 });
    expect(() => answers(failing([ask, fill], [made]))).toThrow(
      expect.objectContaining({ code: "eval_conflict_error" }),
    );
    const add = statement("SetAddStmt", { value: bool(true), set: 0 });
    expect(() => answers(failing([add]), [1])).toThrow(
      expect.objectContaining({ code: "eval_conflict_error" }),
    );
  });

  it("end what takes too much work, too long or too deep a stack", () => {
    const scan = (inner: Json): Json =>
      statement("ScanStmt", { source: 0, key: 2, value: 3, block: block(inner) });
    const loops = failing([scan(scan(scan(scan(scan(scan(statement("NopStmt")))))))]);
    const input = Array.from({ length: 100 }, () => 1);
    expect(() => answers(loops, input, { costLimit: 500_000 })).toThrow(
      expect.objectContaining({
        code: "eval_cancel_error",
        message: expect.stringContaining("units of work"),
      }),
    );
    let asked = 0;
    expect(() => answers(loops, input, { isPastDeadline: () => ++asked > 3 })).toThrow(
      expect.objectContaining({ code: "eval_cancel_error", message: expect.stringContaining("deadline") }),
    );
    expect(asked).toBe(4);
    const endless = rule("endless", block(call("g0.data.endless", [local(0), local(1)], 2)));
    expect(() => answers(failing([call(endless.name, [local(0), local(1)], 2)], [endless]))).toThrow(
      expect.objectContaining({ code: "eval_internal_error", message: expect.stringContaining("nested") }),
    );
  });

  it("end walks of values that are small and endless", () => {
    const levels = 60;
    /** Arrays of which each holds the one before twice; the last is in variable `first + levels`. */
    const doubled = (first: number): Json[] => [
      statement("MakeNullStmt", { target: first }),
      ...Array.from({ length: levels }, (_, at) => {
        const append = statement("ArrayAppendStmt", { value: local(first + at), array: first + at + 1 });
        return [statement("MakeArrayStmt", { target: first + at + 1 }), append, append];
      }).flat(),
    ];
    const tooMuch = expect.objectContaining({ code: "eval_cancel_error" });
    const most = { costLimit: 1_000_000 };
    expect(() => answers(failing([...doubled(2), ...draft.result(2 + levels, 100)]), 1, most)).toThrow(
      tooMuch,
    );
    const equal = statement("EqualStmt", { a: local(2 + levels), b: local(102 + levels) });
    expect(() => answers(failing([...doubled(2), ...doubled(102), equal]), 1, most)).toThrow(tooMuch);
  });

  it("are clear where a value is nested too deep", () => {
    const nest = (levels: number) => {
      let value: RegoValue = 1;
      for (let level = 0; level < levels; level++) value = [value];
      return value;
    };
    const plan = failing([
      statement("MakeSetStmt", { target: 2 }),
      statement("SetAddStmt", { value: local(0), set: 2 }),
      ...draft.result(2, 3),
    ]);
    expect(answers(plan, nest(900))).toHaveLength(1);
    expect(() => answers(plan, nest(100_000))).toThrow(
      expect.objectContaining({
        code: "eval_internal_error",
        message: expect.stringContaining("levels deep"),
      }),
    );
  });

  it("come before any request where a built-in is missing or an entrypoint unknown", () => {
    const plan = loadPlan(draft.plan([], [], { "http.send": 1, plus: 2 }));
    expect(() => compileRego(plan, builtins)).toThrow(
      expect.objectContaining({ code: "MISSING_BUILTINS", names: ["http.send"] }),
    );
    const policy = compileRego(loadPlan(query([])), builtins);
    expect(policy.entrypoints).toEqual(["test/query"]);
    expect(() => policy.evaluate("test/other", { context: { nowNs: 0n } })).toThrow(RangeError);
  });
});

describe("dynamic calls", () => {
  it("find a rule by its path, or leave the block, or the whole reference where it has no value", () => {
    const yes = rule("yes", block(statement("MakeNumberIntStmt", { value: 7, target: 2 })));
    const no = rule("no");
    const dynamic = statement("CallDynamicStmt", {
      args: [0, 1],
      path: [draft.text("g0"), local(0)],
      result: 3,
    });
    const wrapped = (...statements: Json[]) => statement("BlockStmt", { blocks: [block(...statements)] });
    const plan = query(
      [
        wrapped(
          wrapped(
            wrapped(dynamic, statement("BreakStmt", { index: 1 })),
            // Reached where no rule has the path.
            statement("MakeNullStmt", { target: 3 }),
          ),
          ...draft.result(3, 4),
        ),
      ],
      [yes, no],
    );
    expect(answers(plan, "yes")).toEqual([7]);
    expect(answers(plan, "other")).toEqual([null]);
    expect(answers(plan, "no")).toEqual([]);
    expect(answers(plan, { x: 1 })).toEqual([null]);
  });
});

it("prints in order, and where nobody listens does not fail", () => {
  const plan = query([
    statement("ScanStmt", { source: 0, key: 2, value: 3, block: block(call("print", [local(2)], 4)) }),
  ]);
  const printed: string[] = [];
  answers(plan, { b: 1, a: 1 }, { print: (line) => printed.push(line) });
  expect(printed).toEqual(["a", "b"]);
  expect(answers(plan, { b: 1 })).toEqual([]);
});

it("ends the query at a limit OPA does not have, however strict it is", () => {
  const plan = query([call("too_large", [], 2), ...draft.result(2, 3)]);
  for (const strictErrors of [false, true])
    expect(() => answers(plan, 1, { strictErrors })).toThrow(
      expect.objectContaining({
        code: "eval_cancel_error",
        message: "too_large: the result would have more than 10 elements",
      }),
    );
});

it("charges every call for the size of what it is given", () => {
  const plan = query([call("look_at", [local(0)], 2), ...draft.result(2, 3)]);
  const limited = (input: RegoValue) => answers(plan, input, { costLimit: 1_000 });
  expect(limited("a".repeat(10_000))).toEqual([true]);
  expect(() => limited("a".repeat(20_000))).toThrow("units of work");
  expect(() => limited(Array(2_000).fill(0))).toThrow("units of work");
  expect(() => limited(1n << 20_000n)).toThrow("units of work");
});
