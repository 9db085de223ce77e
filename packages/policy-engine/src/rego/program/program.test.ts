import { describe, expect, it } from "vitest";
import { loadPlan } from "../plan/index.ts";
import { block, PlanDraft } from "../plan.test-kit.ts";
import type { PlainObject, RegoValue } from "../values.ts";
import { refuseConflicts } from "./data-conflict.ts";
import { compileRequestOf, describeProblem, regoProgram } from "./program.ts";
import { type RegoSource, sourceKey } from "./source.ts";

const source: RegoSource = { modules: { "policy.rego": "package a" }, version: "v1" };
const draft = new PlanDraft();
/** Answers with what stands in variable 0 (input) or 1 (data) under `answer`. */
const answering = (variable: number, more: Partial<RegoSource> = {}) =>
  regoProgram(
    loadPlan(draft.plan([block(...draft.dots(variable, ["answer"], 2), ...draft.result(2, 5))], [])),
    { ...source, ...more },
  );
const context = { nowNs: 0n };
const said = (answer: RegoValue) => answering(0).evaluate({ input: { answer }, context });

it("is none where a rule stands where its bundle has a document, as OPA has none", () => {
  const functions = [{ params: [0, 1], path: ["g0", "shop", "deny"] }] as never;
  const conflict = (data: PlainObject) => () => refuseConflicts({ functions }, data);
  expect(conflict({ shop: { deny: ["no"] } })).toThrow(
    "rule data.shop.deny conflicts with the data of the bundle",
  );
  expect(conflict({ shop: [] })).toThrow(RangeError);
  expect(conflict({ shop: { limits: {} }, other: { deny: 1 } })).not.toThrow();
});

describe("the answer of a program", () => {
  it("is a message for each member of a set or an array", () => {
    expect(said([])).toEqual([]);
    expect(said(["a", { msg: "b", details: { x: 1 } }])).toEqual(["a", "b"]);
    expect(said([""])).toEqual(["data.test.query gives no message"]);
    expect(said(JSON.parse('[{"msg": "a", "__proto__": {"msg": "b"}}]'))).toEqual(["a"]);
  });

  it("has an end", () => {
    const messages = said(Array.from({ length: 70 }, (_, at) => `m${at}`));
    expect(messages).toHaveLength(51);
    expect(messages.at(-1)).toBe("and 20 more");
  });

  it.each<[RegoValue, string]>([
    ["no", "data.test.query is a string"],
    [true, "data.test.query is the boolean true"],
    [{ msg: "a" }, "data.test.query is an object"],
    [[1], "member 0 of data.test.query is the number 1"],
    [["a", { message: "b" }], "member 1 of data.test.query is an object"],
    [[{ msg: null }], "member 0 of data.test.query has as msg null"],
    [JSON.parse('[{"__proto__": {"msg": "b"}}]'), "member 0 of data.test.query is an object"],
  ])("decides nothing where it is %j", (answer, problem) => {
    expect(() => said(answer)).toThrow(
      `${problem}; it must be a set or an array of messages, or of objects with the message as msg`,
    );
  });

  it("decides nothing where it is undefined", () => {
    expect(() => answering(0).evaluate({ input: {}, context })).toThrow("data.test.query is undefined");
  });

  it("may come of the source's documents, which nobody else's replace", () => {
    const asked = { input: {}, data: { answer: ["of the request"] }, context };
    expect(answering(1).evaluate(asked)).toEqual(["of the request"]);
    expect(answering(1, { data: { answer: ["of the source"] } }).evaluate(asked)).toEqual(["of the source"]);
  });
});

describe("a source", () => {
  it("is asked for by its entrypoint, else by the names of the rules that are looked for", () => {
    expect(compileRequestOf(source)).toMatchObject({ regoVersion: "v1", rules: ["violation", "deny"] });
    const named = compileRequestOf({ ...source, entrypoint: "data.a.no", version: "v0" });
    expect(named).toMatchObject({ regoVersion: "v0", entrypoints: ["data.a.no"] });
    expect(named.builtins).toContain("sprintf");
    expect(named.builtins).not.toContain("http.send");
    expect(compileRequestOf({ ...source, callsHosts: true }).builtins).toContain("http.send");
  });

  it("has a key of its own for all that decides its answers", () => {
    const variants: Partial<RegoSource>[] = [
      {},
      { version: "v0" },
      { callsHosts: true },
      { entrypoint: "data.a.deny" },
      { data: { a: 1 } },
      { modules: { "policy.rego": "package b" } },
      { modules: { "other.rego": "package a" } },
    ];
    const keys = variants.map((variant) => sourceKey({ ...source, ...variant }));
    expect(new Set(keys).size).toBe(variants.length);
    expect(sourceKey({ ...source, modules: { a: "1", b: "2" } })).toBe(
      sourceKey({ ...source, modules: { b: "2", a: "1" } }),
    );
  });

  it("is told its problems with their places, and which file where there are several", () => {
    const problem = {
      code: "rego_type_error",
      message: "undefined function http.send",
      file: "a.rego",
      row: 3,
      col: 7,
    };
    expect(describeProblem(problem, source)).toBe(
      "line 3, column 7: undefined function http.send; a policy reaches no host: list those it may call in spec.rego.allowedHosts (rego_type_error)",
    );
    const both = { ...source, modules: { "a.rego": "", "b.rego": "" } };
    expect(describeProblem({ ...problem, message: "m" }, both)).toBe(
      "a.rego, line 3, column 7: m (rego_type_error)",
    );
    expect(describeProblem({ code: "compile_error", message: "m" }, source)).toBe("m (compile_error)");
  });
});
