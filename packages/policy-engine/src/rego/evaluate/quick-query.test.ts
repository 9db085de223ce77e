import { describe, expect, it } from "vitest";
import { builtins } from "../builtins/index.ts";
import { loadPlan } from "../plan/index.ts";
import { block, type FunctionDraft, type Json, local, PlanDraft, statement } from "../plan.test-kit.ts";
import type { RegoValue } from "../values.ts";
import { compileRego, QuickQueries } from "./index.ts";

/** `data.test.deny`, whose value is `input.answer`. */
function policy(more: (draft: PlanDraft) => Json[] = () => []) {
  const draft = new PlanDraft();
  const deny: FunctionDraft = {
    name: "g0.data.test.deny",
    params: [0, 1],
    return: 2,
    path: ["g0", "test", "deny"],
    blocks: [
      block(...draft.dots(0, ["answer"], 2), ...more(draft)),
      block(statement("IsDefinedStmt", { source: 2 }), statement("ReturnLocalStmt", { source: 2 })),
    ],
  };
  const query = block(
    statement("CallStmt", { func: deny.name, args: [local(0), local(1)], result: 2 }),
    statement("AssignVarStmt", { source: local(2), target: 3 }),
    ...draft.result(3, 4),
  );
  return compileRego(loadPlan(draft.plan([query], [deny], { sort: 1 })), builtins);
}

const context = { nowNs: 0n, costLimit: 100 };

function isEmpty(asked: ReturnType<typeof policy>, input: RegoValue): boolean {
  const quick = asked.quickQuery("test/query");
  if (quick === undefined) throw new Error("there is no quick way");
  return new QuickQueries(input, context).isEmpty(quick);
}

describe("the quick way to ask a policy", () => {
  it("tells that there is nothing in its list, and nothing else", () => {
    const asked = policy();
    expect(isEmpty(asked, { answer: [] })).toBe(true);
    for (const answer of [["a"], {}, "", false, null, 0]) expect(isEmpty(asked, { answer })).toBe(false);
    expect(isEmpty(asked, {})).toBe(false);
  });

  it("tells nothing where the query fails, and is none the worse for it", () => {
    const asked = policy((draft) => [
      ...draft.dots(0, ["list"], 3),
      statement("CallStmt", { func: "sort", args: [local(3)], result: 4 }),
    ]);
    const long = { answer: [], list: Array.from({ length: 1_000 }, (_, at) => at) };
    const queries = new QuickQueries(long, context);
    expect(queries.isEmpty(asked.quickQuery("test/query")!)).toBe(false);
    expect(queries.isEmpty(policy().quickQuery("test/query")!)).toBe(true);
    expect(() => asked.evaluate("test/query", { input: long, context })).toThrow("100 units of work");
  });

  it("is one of three that come to the same", () => {
    const asked = policy();
    for (const answer of [[], ["a"], "x", undefined]) {
      const input: RegoValue = answer === undefined ? {} : { answer };
      const read = asked.read("test/query", { input, context }, (value) => value);
      expect(read).toEqual(answer);
      expect(asked.evaluate("test/query", { input, context })[0]?.result).toEqual(answer);
      expect(isEmpty(asked, input)).toBe(Array.isArray(answer) && answer.length === 0);
    }
  });

  it("is not there for a query that is more than a rule", () => {
    const draft = new PlanDraft();
    const query = block(...draft.dots(0, ["answer"], 2), ...draft.result(2, 3));
    const asked = compileRego(loadPlan(draft.plan([query])), builtins);
    expect(asked.quickQuery("test/query")).toBeUndefined();
    expect(asked.quickQuery("test/other")).toBeUndefined();
  });
});
