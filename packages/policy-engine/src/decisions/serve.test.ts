import { expect, it } from "vitest";
import type { CompileOutcome, RegoCompiler } from "../rego/compiler/index.ts";
import { loadPlan } from "../rego/plan/index.ts";
import { block, PlanDraft, statement } from "../rego/plan.test-kit.ts";
import { servePolicy } from "./serve.ts";

/** `x := <number>` in package app. */
function planOf(number: string) {
  const draft = new PlanDraft();
  const rule = {
    name: "g0.data.app.x",
    params: [0, 1],
    return: 2,
    path: ["g0", "app", "x"],
    blocks: [
      block(
        statement("MakeNumberRefStmt", { index: draft.string(number), target: 2 }),
        statement("ReturnLocalStmt", { source: 2 }),
      ),
    ],
  };
  return loadPlan(draft.plan([block(...draft.result(0, 3))], [rule]));
}

const served = async (number: string) => {
  const outcome: CompileOutcome = { ok: true, plan: planOf(number), digest: "d" };
  const compiler: RegoCompiler = { compile: async () => [outcome], check: async () => {} };
  return await servePolicy(compiler, { name: "p", modules: { "p.rego": "package app\n\nx := 1\n" } });
};

it("refuses a number of thousands of digits, which OPA's compiler takes, in words for who wrote it", async () => {
  expect(await served("12")).toMatchObject({ ok: true });
  expect(await served("1e2000")).toEqual({
    ok: false,
    problem: { policy: "p", message: "a number has more than 1000 digits", mayPass: false },
  });
});
