import { describe, expect, it } from "vitest";
import type { Builtin } from "../builtins/contract.ts";
import { loadPlan } from "../plan/index.ts";
import { block, type FunctionDraft, type Json, local, PlanDraft, statement } from "../plan.test-kit.ts";
import type { RegoValue } from "../values.ts";
import { compileRego, type QueryContext, SharedResults } from "./index.ts";

const counted = { calls: 0 };
function seen<T>(value: T): T {
  counted.calls++;
  return value;
}
const builtins = new Map<string, Builtin>(
  (
    [
      { name: "look", arity: 1, call: ([value]) => seen(value) },
      { name: "now", arity: 1, call: (_, { nowNs }) => seen(Number(nowNs)) },
      { name: "look_at_nothing", arity: 0, call: () => seen(true) },
    ] satisfies Builtin[]
  ).map((each) => [each.name, each]),
);
const arities = { look: 1, now: 1, look_at_nothing: 0 };

interface Terms {
  readonly builtin?: string;
  readonly key?: string;
  readonly packageName?: string;
  /** Statements at the end of the body of `users`. */
  readonly more?: (draft: PlanDraft) => Json[];
  /** Statements of the query before it asks for `users`. */
  readonly before?: (draft: PlanDraft) => Json[];
}

/** `users := [look(user) | user := input.KEY[_]]`, by way of a rule and a function of its own. */
function policy({ builtin = "look", key = "users", packageName = "test", more, before }: Terms = {}) {
  const draft = new PlanDraft();
  const named = (name: string) => `g0.data.${packageName}.${name}`;
  const returning = (source: number) => block(statement("ReturnLocalStmt", { source }));
  const seen: FunctionDraft = {
    name: named("seen"),
    params: [0, 1, 2],
    return: 3,
    blocks: [block(statement("CallStmt", { func: builtin, args: [local(2)], result: 3 })), returning(3)],
  };
  const all: FunctionDraft = {
    name: named("all"),
    params: [0, 1],
    return: 3,
    blocks: [block(...draft.dots(0, [key], 3)), returning(3)],
  };
  const users: FunctionDraft = {
    name: named("users"),
    params: [0, 1],
    return: 2,
    path: ["g0", packageName, "users"],
    blocks: [
      block(
        statement("MakeArrayStmt", { target: 2 }),
        statement("CallStmt", { func: all.name, args: [local(0), local(1)], result: 4 }),
        statement("ScanStmt", {
          source: 4,
          key: 5,
          value: 6,
          block: block(
            statement("CallStmt", { func: seen.name, args: [local(0), local(1), local(6)], result: 7 }),
            statement("ArrayAppendStmt", { value: local(7), array: 2 }),
          ),
        }),
        ...(more?.(draft) ?? []),
      ),
      returning(2),
    ],
  };
  const query = block(
    ...(before?.(draft) ?? []),
    statement("CallStmt", { func: users.name, args: [local(0), local(1)], result: 2 }),
    ...draft.result(2, 3),
  );
  return compileRego(loadPlan(draft.plan([query], [seen, all, users], arities)), builtins);
}

const input = { users: ["ann", "bob"], others: ["cy"] };

function ask(asked: ReturnType<typeof policy>, shared: SharedResults, more: Partial<QueryContext> = {}) {
  counted.calls = 0;
  let work = 0;
  const onWork = (units: number) => {
    work = units;
  };
  const context = { nowNs: 0n, shared, onWork, ...more };
  let answer: unknown;
  try {
    answer = asked.evaluate("test/query", { input: shared.input, data: {}, context })[0]?.result;
  } catch (error) {
    answer = String(error);
  }
  return { answer, work, calls: counted.calls };
}

const fresh = (of: RegoValue = input) => new SharedResults(of);

/** Of a cluster that has two of these policies, and has had a request. */
function policies(...terms: readonly Terms[]) {
  const all = terms.map(policy);
  const once = fresh();
  for (const each of [...all, ...all]) ask(each, once);
  return all as [ReturnType<typeof policy>, ...ReturnType<typeof policy>[]];
}

describe("rules that policies have in common", () => {
  const twice = (draft: PlanDraft) => [
    statement("CallStmt", { func: "g0.data.test.all", args: [local(0), local(1)], result: 9 }),
    ...draft.dots(0, ["users"], 10),
  ];

  it("are found out once for a request, and charged to each", () => {
    const [one, other, before] = policies({}, { packageName: "other" }, { before: twice });
    const shared = fresh();
    const first = ask(one, shared);
    expect(first).toMatchObject({ answer: ["ann", "bob"], calls: 2 });
    expect(ask(other!, shared)).toEqual({ ...first, calls: 0 });
    // What it asks for by itself first is not charged twice.
    const alone = ask(policy({ before: twice }), fresh());
    expect(ask(before!, shared)).toEqual({ ...alone, calls: 0 });
    expect(ask(one, fresh({ users: ["dan"] })).answer).toEqual(["dan"]);
  });

  it("are kept once two have asked", () => {
    const [one, other, third] = [{}, {}, {}].map((terms) => policy({ ...terms, key: "others" }));
    const shared = fresh();
    expect([one, other, third].map((each) => ask(each!, shared).calls)).toEqual([1, 1, 0]);
  });

  it("are others where anything but names differs", () => {
    const more = (draft: PlanDraft) => draft.dots(0, ["users"], 8);
    const [one, others, longer] = policies({}, { key: "others" }, { more });
    const shared = fresh();
    ask(one, shared);
    expect(ask(others!, shared)).toMatchObject({ answer: ["cy"], calls: 1 });
    expect(ask(longer!, shared).calls).toBe(2);
  });

  it("end a query that has no budget for them as finding them out would", () => {
    const [one, other] = policies({}, { before: twice });
    const { work } = ask(other!, fresh());
    for (let costLimit = 0; costLimit <= work; costLimit++) {
      const shared = fresh();
      ask(one, shared);
      const alone = ask(other!, fresh(), { costLimit });
      expect(ask(other!, shared, { costLimit }).answer).toEqual(alone.answer);
    }
  });

  it("are not charged otherwise where requests take turns", () => {
    const [one, other] = policies({}, { before: twice });
    const alone = ask(other!, fresh());
    const [first, second] = [fresh(), fresh({ users: ["dan"] })];
    ask(one, first);
    ask(one, second);
    expect(ask(other!, first)).toMatchObject({ answer: alone.answer, work: alone.work });
    expect(ask(other!, second).answer).toEqual(["dan"]);
  });

  it.each<[string, Terms]>([
    ["they look at the time", { builtin: "now" }],
    [
      "they look at data",
      {
        more: () => [statement("IsDefinedStmt", { source: 1 })],
      },
    ],
    [
      "they replace a document",
      {
        more: (draft) => [
          statement("WithStmt", {
            local: 0,
            path: [],
            value: draft.text("x"),
            block: block(statement("NopStmt")),
          }),
        ],
      },
    ],
    [
      "they call by a path",
      {
        more: (draft) => [
          statement("BlockStmt", {
            blocks: [
              block(statement("CallDynamicStmt", { args: [0, 1], path: [draft.text("x")], result: 8 })),
            ],
          }),
        ],
      },
    ],
    [
      "the policy fills what it did not make",
      {
        before: (draft) => [
          statement("MakeSetStmt", { target: 20 }),
          statement("AssignVarStmt", { source: local(20), target: 21 }),
          statement("SetAddStmt", { value: draft.text("x"), set: 21 }),
        ],
      },
    ],
  ])("are each policy's own where %s", (_, terms) => {
    const [one, other] = policies(terms, terms);
    const shared = fresh();
    const first = ask(one, shared);
    expect(first.calls).toBe(2);
    expect(ask(other!, shared)).toEqual(first);
  });

  it("are each policy's own under strict errors and under another document", () => {
    const shared = fresh();
    const before = (draft: PlanDraft) => [
      statement("WithStmt", {
        local: 0,
        path: [draft.string("users")],
        value: local(1),
        block: block(
          statement("CallStmt", { func: "g0.data.test.users", args: [local(0), local(1)], result: 9 }),
        ),
      }),
    ];
    const [one, other] = policies({}, { before });
    ask(one, shared);
    expect(ask(one, shared, { strictErrors: true }).calls).toBe(2);
    expect(ask(other!, shared)).toMatchObject({ answer: ["ann", "bob"], calls: 0 });
  });

  it("are those of other inputs where these differ in nothing the rules look at", () => {
    const varied = (varying: string[], of: RegoValue) => {
      const [one, other] = policies({}, {});
      const shared = new SharedResults(input, varying);
      ask(one, shared);
      counted.calls = 0;
      const context = { nowNs: 0n, shared };
      other!.evaluate("test/query", { input: of, context });
      return counted.calls;
    };
    expect(varied(["parameters"], { ...input, parameters: 1 })).toBe(0);
    expect(varied(["users", "parameters"], { users: ["dan"] })).toBe(1);
  });

  it("are kept for good where not even the input matters, and charged all the same", () => {
    const draft = new PlanDraft();
    const params: FunctionDraft = {
      name: "g0.data.test.params",
      params: [0, 1],
      return: 2,
      blocks: [
        block(
          statement("MakeObjectStmt", { target: 2 }),
          statement("ObjectInsertStmt", { key: draft.text("a"), value: draft.text("b"), object: 2 }),
        ),
        block(statement("ReturnLocalStmt", { source: 2 })),
      ],
    };
    const query = block(
      statement("CallStmt", { func: params.name, args: [local(0), local(1)], result: 2 }),
      statement("CallStmt", { func: "look_at_nothing", args: [], result: 3 }),
      ...draft.result(2, 3),
    );
    const asked = compileRego(loadPlan(draft.plan([query], [params], arities)), builtins);
    const works = Array.from({ length: 3 }, (_, at) => ask(asked, fresh({ at })));
    expect(works).toEqual(works.map(() => works[0]));
    expect(works[0]).toMatchObject({ answer: { a: "b" }, calls: 1 });
  });
});
