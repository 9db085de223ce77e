import { describe, expect, it } from "vitest";
import { asClosures, asCode } from "../../generate/pace.test-kit.ts";
import { loadPlan } from "../plan/index.ts";
import { block, type FunctionDraft, local, PlanDraft, statement } from "../plan.test-kit.ts";
import { compileRego, type Observe, SharedResults } from "./index.ts";

const noBuiltins = new Map<string, never>();

/** `params := {"a": "b"}`, which is the same whatever is asked, and `users := input.users`. */
function plan() {
  const draft = new PlanDraft();
  const returning = (source: number) => block(statement("ReturnLocalStmt", { source }));
  const params: FunctionDraft = {
    name: "g0.data.test.params",
    params: [0, 1],
    return: 2,
    blocks: [
      block(
        statement("MakeObjectStmt", { target: 2 }),
        statement("ObjectInsertStmt", { key: draft.text("a"), value: draft.text("b"), object: 2 }),
      ),
      returning(2),
    ],
  };
  const users: FunctionDraft = {
    name: "g0.data.test.users",
    params: [0, 1],
    return: 2,
    path: ["g0", "test", "users"],
    blocks: [block(...draft.dots(0, ["users"], 2)), returning(2)],
  };
  const call = ({ name }: FunctionDraft, result: number) =>
    statement("CallStmt", { func: name, args: [local(0), local(1)], result });
  const query = block(call(params, 2), call(users, 3), ...draft.result(3, 4));
  return loadPlan(draft.plan([query], [params, users]));
}

const input = { users: ["ann"] };
/** In the order they run. */
const all = [
  "CallStmt",
  "MakeObjectStmt",
  "ObjectInsertStmt",
  "ReturnLocalStmt",
  "CallStmt",
  "DotStmt",
  "ReturnLocalStmt",
  "MakeObjectStmt",
  "ObjectInsertStmt",
  "ResultSetAddStmt",
];

function evaluate(shared: SharedResults, observe?: Observe): void {
  const policy = compileRego(plan(), noBuiltins, observe);
  const answers = policy.evaluate("test/query", { input, context: { nowNs: 0n, shared } });
  expect(answers).toEqual([{ result: ["ann"] }]);
}

describe("who watches a policy", () => {
  it.each([
    ["closures", asClosures],
    ["code", asCode],
  ])("sees each statement that runs, though others are %s and found out the same", (_, as) => {
    const shared = new SharedResults(input);
    as(() => {
      for (let round = 0; round < 3; round++) evaluate(shared);
      const seen: string[] = [];
      evaluate(
        shared,
        ({ kind }) =>
          () =>
            seen.push(kind),
      );
      expect(seen).toEqual(all);
    });
  });

  it("sees them of every evaluation, however many there are", () => {
    let seen = 0;
    const policy = compileRego(plan(), noBuiltins, () => () => seen++);
    const times = 100;
    for (let at = 0; at < times; at++) policy.evaluate("test/query", { input, context: { nowNs: 0n } });
    expect(seen).toBe(times * all.length);
  });

  it("is not told of statements that it does not ask for", () => {
    const seen: string[] = [];
    evaluate(new SharedResults(input), ({ kind }) =>
      kind === "DotStmt" ? () => seen.push(kind) : undefined,
    );
    expect(seen).toEqual(["DotStmt"]);
  });
});
