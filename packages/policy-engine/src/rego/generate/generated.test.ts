import { execFile } from "node:child_process";
import { promisify } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { argumentCost } from "../builtins/argument-cost.ts";
import { callWith, testContext } from "../builtins/builtins.test-kit.ts";
import { EvaluationError } from "../builtins/contract.ts";
import { builtins } from "../builtins/index.ts";
import { compilePlan } from "../evaluate/compile.ts";
import { conflictMessage } from "../evaluate/function.ts";
import { loadPlan, type RegoPlan } from "../plan/index.ts";
import {
  block,
  everyStatement,
  type FunctionDraft,
  type Json,
  local,
  PlanDraft,
  statement,
} from "../plan.test-kit.ts";
import type { RegoValue } from "../values.ts";
import { metered } from "../work-meter.ts";
import { evaluateBothWays } from "./both-ways.test-kit.ts";
import { FunctionWriter } from "./function-writer.ts";
import { mayBeGenerated } from "./generated.ts";
import { writeBlocks } from "./write-block.ts";

const arities = { startswith: 2, gte: 2 };
const plus = new Map([["plus", builtins.get("plus")!]]);

/** Names of users that begin with a text: `startswith(input.users[_].FIELD, TEXT)`. */
function rule(field: string, text: string, key = "users"): { plan: RegoPlan; draft: PlanDraft } {
  const draft = new PlanDraft();
  const names: FunctionDraft = {
    name: "g0.data.test.names",
    params: [0, 1],
    return: 2,
    path: ["g0", "test", "names"],
    blocks: [
      block(statement("MakeSetStmt", { target: 2 })),
      block(
        ...draft.dots(0, [key], 3),
        statement("ScanStmt", {
          source: 3,
          key: 4,
          value: 5,
          block: block(
            ...draft.dots(5, [field], 6),
            statement("CallStmt", { func: "startswith", args: [local(6), draft.text(text)], result: 7 }),
            statement("NotEqualStmt", { a: local(7), b: { type: "bool", value: false } }),
            statement("SetAddStmt", { value: local(6), set: 2 }),
          ),
        }),
      ),
      block(statement("ReturnLocalStmt", { source: 2 })),
    ],
  };
  const query = block(
    statement("CallStmt", { func: names.name, args: [local(0), local(1)], result: 2 }),
    ...draft.result(2, 3),
  );
  return { plan: loadPlan(draft.plan([query], [names], arities)), draft };
}

function written({ plan }: { plan: RegoPlan }) {
  const { callees } = compilePlan(plan, builtins);
  const [source] = plan.functions;
  if (source === undefined) throw new Error("no function");
  const options = { conflict: conflictMessage(source), end: "r.exit();", limit: 32_000 };
  const writer = new FunctionWriter(callees, source.params, source.blocks, options);
  writeBlocks(writer, source.blocks);
  return writer.finish();
}

const ask = (plan: RegoPlan, input: RegoValue, costLimit = 1_000) =>
  evaluateBothWays(plan, builtins, {
    entrypoint: "test/query",
    question: { input, context: { nowNs: 0n, costLimit } },
  });

function thrownBy(work: () => unknown): boolean {
  try {
    work();
    return false;
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    return true;
  }
}

describe("a plan as code", () => {
  it("comes to what the closures come to, with every kind of statement and wherever its budget ends", () => {
    const plan = loadPlan(everyStatement());
    const outcomes = new Set<boolean>();
    const inputs: RegoValue[] = [{ users: [{ name: "zoe" }, { name: "root" }] }, {}, "x", [1]];
    for (const input of inputs)
      for (let costLimit = 0; costLimit < 90; costLimit += input === inputs[0] ? 2 : 9) {
        const question = { input, data: { base: 1 }, context: { nowNs: 0n, costLimit } };
        const answer = () => evaluateBothWays(plan, plus, { entrypoint: "test/query", question });
        if (costLimit === 0) expect(answer).toThrow("units of work");
        else if (costLimit > 80) expect(answer).not.toThrow();
        else outcomes.add(thrownBy(answer));
      }
    expect(outcomes).toEqual(new Set([true, false]));
  });

  it("reads what is not as JSON.parse makes it as the closures do", () => {
    const users = (item: string) => JSON.parse(`{"users": [${item}]}`) as RegoValue;
    for (const field of ["name", "constructor", "__proto__", "toString", "x-y"])
      for (const item of [
        '{"name": "ann"}',
        '{"constructor": "ann", "name": "ann"}',
        '{"__proto__": "ann", "toString": "ann", "x-y": "ann"}',
        '{"__proto__": {"name": "ann"}}',
        '"ann"',
        "null",
        "[1]",
        '{"name": 1}',
        '{"name": null}',
      ])
        ask(rule(field, "an").plan, users(item));
    expect(ask(rule("__proto__", "an").plan, users('{"__proto__": "ann"}'))).toEqual([{ result: ["ann"] }]);
    expect(ask(rule("toString", "an").plan, users("{}"))).toEqual([{ result: [] }]);
  });

  it("has nothing of a policy in its text but names of fields that are identifiers", () => {
    const hostile = "x'];globalThis.polluted=1;//\u2028\\";
    const { source } = written(rule(hostile, hostile, hostile));
    expect(source.replace(/[\w\s.,;:?(){}[\]=!<>|&+-]|"object"|"string"/g, "")).toBe("");
    expect(source).not.toContain("polluted");
    const input = { [hostile]: [{ [hostile]: `${hostile}!` }] };
    expect(ask(rule(hostile, hostile, hostile).plan, input)).toEqual([{ result: [`${hostile}!`] }]);
  });

  it("has one text with others that differ in constants only", () => {
    const { source, keys } = written(rule("name", "a"));
    expect(written(rule("name", "a much longer text"))).toMatchObject({ source, keys });
    expect(written(rule("title", "a")).source).not.toBe(source);
    const [ann, bob] = [written(rule("x-ann", "a")), written(rule("x-bob", "a"))];
    expect(ann.source).toBe(bob.source);
    expect(ann.keys).not.toEqual(bob.keys);
  });

  it("stays closures where it would be long, and the rest of its plan does not", () => {
    const draft = new PlanDraft();
    const dots = Array.from({ length: 2_000 }, (_, at) => draft.dots(0, [`a${at}`], 4)).flat();
    const long: FunctionDraft = {
      name: "g0.data.test.long",
      params: [0, 1],
      return: 2,
      blocks: [
        block(statement("AssignVarStmt", { source: local(0), target: 2 })),
        block(...dots),
        block(statement("ReturnLocalStmt", { source: 2 })),
      ],
    };
    const query = block(
      statement("CallStmt", { func: long.name, args: [local(0), local(1)], result: 2 }),
      ...draft.result(2, 3),
    );
    expect(ask(loadPlan(draft.plan([query], [long])), { a0: 1 })).toEqual([{ result: { a0: 1 } }]);
  });

  it("is not made of plans of very many statements", () => {
    const of = (count: number) => {
      const statements = Array.from({ length: count }, () => statement("NopStmt"));
      return loadPlan(
        new PlanDraft().plan([block(statement("BlockStmt", { blocks: [block(...statements)] }))]),
      );
    };
    expect([mayBeGenerated(of(4_900)), mayBeGenerated(of(5_000))]).toEqual([true, false]);
    expect(mayBeGenerated(loadPlan(everyStatement()))).toBe(true);
  });

  it("leaves blocks from within a with, and the query where there are none left", () => {
    const draft = new PlanDraft();
    const leaving = statement("WithStmt", {
      local: 0,
      path: [draft.string("a"), draft.string("b")],
      value: draft.text("x"),
      block: block(
        statement("AssignVarStmt", { source: local(0), target: 3 }),
        statement("BreakStmt", { index: 1 }),
      ),
    });
    const query = (...blocks: Json[]) => ask(loadPlan(draft.plan(blocks)), { a: 1 });
    expect(query(block(leaving), block(...draft.result(3, 4)))).toEqual([]);
    const within = block(
      statement("BlockStmt", { blocks: [block(leaving)] }),
      statement("ResetLocalStmt", { target: 3 }),
    );
    expect(query(within, block(...draft.result(3, 4)))).toEqual([{ result: { a: { b: "x" } } }]);
  });

  it("is done without in a process that allows no code from strings", async () => {
    const program = `
      import { builtins, compileRego, loadPlan } from ${JSON.stringify(new URL("../index.ts", import.meta.url).href)};
      const plan = loadPlan(${JSON.stringify(everyStatement())});
      const policy = compileRego(plan, builtins);
      const input = { users: [{ name: "zoe" }, { name: "root" }] };
      let sum = 0;
      const context = { nowNs: 0n, onWork: (units) => { sum += units; } };
      let last;
      for (let i = 0; i < 1000; i++) last = policy.evaluate("test/query", { input, context });
      console.log(sum, JSON.stringify(last, (_, item) => typeof item === "bigint" ? String(item) : item));`;
    const run = async (...flags: string[]) => {
      const args = [...flags, "--input-type=module", "--eval", program];
      return (await promisify(execFile)(process.execPath, args)).stdout;
    };
    const [without, usual] = await Promise.all([run("--disallow-code-generation-from-strings"), run()]);
    expect(without).toMatch(/^[1-9]/);
    expect(without).toBe(usual);
  });
});

describe("what a built-in comes to for two operands at hand", () => {
  const values = {
    string: fc.string({ unit: "binary" }),
    number: fc.oneof(fc.integer(), fc.double({ noNaN: true })),
  };
  const pairs = [...builtins.values()].flatMap(({ name, ofTexts, ofNumbers }) => [
    ...(ofTexts === undefined ? [] : [{ name, kind: "string" as const, pair: ofTexts }]),
    ...(ofNumbers === undefined ? [] : [{ name, kind: "number" as const, pair: ofNumbers }]),
  ]);

  it.each(pairs)("is what a call does: $name of a $kind", ({ name, kind, pair }) => {
    const value = values[kind] as fc.Arbitrary<never>;
    fc.assert(
      fc.property(value, value, fc.integer({ min: 1, max: 60 }), (a, b, times) => {
        const [first, second] = kind === "string" ? [String(a).repeat(times), String(b)] : [a, b];
        const context = testContext();
        const args = [first, second] as const;
        context.spend(1 + argumentCost(args));
        const answer = metered(context.spend, () => callWith(context, name, ...args));
        const other = testContext();
        other.spend(pair.work(first as never, second as never));
        expect(metered(other.spend, () => pair.answer(first as never, second as never))).toBe(answer);
        expect(other.spent()).toBe(context.spent());
      }),
    );
  });

  it("is known of the comparisons and the searches", () => {
    expect(pairs.length).toBeGreaterThanOrEqual(9);
  });
});
