import { describe, expect, it } from "vitest";
import { readAnswer } from "./answer.ts";
import { type CompileRequest, planName, requestDigest, requestLine } from "./request.ts";

const request: CompileRequest = {
  modules: { "a.rego": "package a", "b.rego": "package b" },
  entrypoints: ["data.a.deny"],
  builtins: ["count", "sprintf"],
};

describe("the digest of a request", () => {
  it("does not depend on the order of modules and built-ins", () => {
    const other: CompileRequest = {
      modules: { "b.rego": "package b", "a.rego": "package a" },
      entrypoints: ["data.a.deny"],
      regoVersion: "v1",
      builtins: ["sprintf", "count"],
      keepPrint: false,
    };
    expect(requestDigest(other, "c")).toBe(requestDigest(request, "c"));
  });

  it.each<[string, Partial<CompileRequest>]>([
    ["a module", { modules: { "a.rego": "package a", "b.rego": "package b\n" } }],
    ["a path", { modules: { "a.rego": "package a", "c.rego": "package b" } }],
    ["the entrypoints", { entrypoints: ["data.a.deny", "data.b.deny"] }],
    ["the version", { regoVersion: "v0" }],
    ["the version of a module", { versions: { "b.rego": "v0" } }],
    ["the built-ins", { builtins: ["count"] }],
    ["printing", { keepPrint: true }],
  ])("changes with %s", (_, change) => {
    expect(requestDigest({ ...request, ...change }, "c")).not.toBe(requestDigest(request, "c"));
  });

  it("changes with the compiler", () => {
    expect(requestDigest(request, "d")).not.toBe(requestDigest(request, "c"));
  });
});

it("a request is one line, with modules of any path", () => {
  const modules = JSON.parse('{"__proto__": "package a\\n"}') as Record<string, string>;
  const line = requestLine({ ...request, modules }, "1");
  expect(line).not.toContain("\n");
  expect(line).toContain('"modules":{"__proto__":"package a\\n"}');
});

describe("planName", () => {
  it("is OPA's name for the entrypoint", () => {
    expect(planName("data.shieldx.deny")).toBe("shieldx/deny");
  });

  it.each(["data", "input.x", "data.", "data.a b", 'data.a["b-c"]', "data..a"])("refuses %s", (reference) => {
    expect(() => planName(reference)).toThrow(RangeError);
  });
});

describe("readAnswer", () => {
  it("reads plans and problems", () => {
    expect(readAnswer('{"id":"1","plan":{"plans":{}}}')).toEqual({
      id: "1",
      plan: { plans: {} },
      problems: [],
    });
    const problem = { code: "rego_parse_error", message: "m", file: "a.rego", row: 1, col: 2 };
    expect(readAnswer(JSON.stringify({ id: "1", errors: [problem] }))).toEqual({
      id: "1",
      plan: undefined,
      problems: [problem],
    });
  });

  it("reads which tests there are, and what they could cover", () => {
    const test = { package: "data.a", name: "test_x", plan: "a/test_x", cases: true, file: "a.rego", row: 3 };
    const line = {
      id: "1",
      tests: [test, { ...test, name: "todo_test_y", plan: undefined }],
      rows: { "a.rego": [1, 2] },
    };
    expect(readAnswer(JSON.stringify(line))?.planned).toEqual({
      tests: [
        { package: "data.a", name: "test_x", plan: "a/test_x", hasCases: true, file: "a.rego", row: 3 },
        { package: "data.a", name: "todo_test_y", plan: undefined, hasCases: true, file: "a.rego", row: 3 },
      ],
      rows: new Map([["a.rego", [1, 2]]]),
    });
  });

  it.each([
    '{"id":"1","tests":[{"package":"data.a"}]}',
    '{"id":"1","rows":{"a.rego":[0]}}',
    '{"id":"1","rows":[]}',
    "",
    "{",
    "null",
    "[]",
    "{}",
    '{"id":1}',
    '{"id":"1","errors":{}}',
    '{"id":"1","errors":[{"code":1}]}',
  ])("does not take %j for an answer", (line) => {
    expect(readAnswer(line)).toBeUndefined();
  });
});
