import { describe, expect, it } from "vitest";
import { builtCompiler, nativeCompiler, nativeRegoCompiler } from "../compiler.test-kit.ts";
import { compileRegoTests, compilerOfRegoTests, type RegoTestOptions, runRegoTests } from "./index.ts";

const binary = await builtCompiler(nativeCompiler);
const wasmFile = await builtCompiler();

const policy = `package shop

import data.limits

deny contains msg if {
	input.replicas > limits.most
	msg := sprintf("at most %d", [limits.most])
}

deny contains "unknown image" if not known(input.image)

known(image) if {
	answer := http.send({"method": "get", "url": sprintf("https://images/%s", [image])})
	answer.status_code == 200
}

never if {
	input.never
	input.really
}
`;

async function run(modules: Record<string, string>, options: Partial<RegoTestOptions> = {}) {
  const compiled = await compileRegoTests(nativeRegoCompiler(binary ?? ""), modules);
  if (!compiled.ok) return { problems: compiled.problems, outcomes: {}, coverage: undefined };
  const { outcomes, coverage } = runRegoTests(compiled, { nowNs: 0n, ...options });
  const byName = Object.fromEntries(outcomes.map(({ name, result, message }) => [name, { result, message }]));
  return { problems: [], outcomes: byName, coverage, version: compiled.version };
}

const passed = { result: "passed", message: "holds" };

describe.skipIf(binary === undefined)("tests in Rego", () => {
  it("hold where their value is true, with what they put in the place of input, data and built-ins", async () => {
    const tests = `package shop_test

import data.shop

found(_) := {"status_code": 200}

test_few if count(shop.deny) == 0 with input as {"replicas": 2, "image": "a"} with http.send as found
test_many if {
	shop.deny == {"at most 3"} with input as {"replicas": 4, "image": "a"} with http.send as found
}
test_limit if {
	shop.deny == {"at most 9"} with input as {"replicas": 10, "image": "a"} with data.limits.most as 9
		with http.send as found
}
test_wrong if {
	x := 1
	print("x is", x)
	x == 2
}
test_number := 3
todo_test_later if false
test_calls if count(shop.deny) == 0 with input as {"replicas": 2, "image": "a"}
test_twice if true
test_twice if false
`;
    const { outcomes, problems } = await run(
      { "shop.rego": policy, "shop_test.rego": tests },
      { data: { limits: { most: 3 } } },
    );
    expect(problems).toEqual([]);
    expect(outcomes).toEqual({
      test_few: passed,
      test_many: passed,
      test_limit: passed,
      test_wrong: {
        result: "failed",
        message: "it does not hold: line 18 is as far as it came; printed: x is 1",
      },
      test_number: { result: "failed", message: "its value is 3, not true" },
      todo_test_later: { result: "skipped", message: "its name begins with todo_" },
      test_calls: { result: "error", message: expect.stringContaining("http.send") },
      test_twice: passed,
      "test_twice#01": expect.objectContaining({ result: "failed" }),
    });
  });

  it("have cases, each of which must hold, those that come to nothing too", async () => {
    const tests = `package cases

test_sum[name] if {
	some name, c in {"one": {"a": 1, "b": 0}, "two": {"a": 1, "b": 1}, "three": {"a": 1, "b": 1}}
	c.a + c.b == numbers[name]
}

test_fine[note] if {
	some c in [{"note": "x", "v": 1}, {"note": "y", "v": 1}]
	note := c.note
	c.v == 1
}

test_bound[c.note] if {
	some c in [{"note": "x", "v": 1}, {"note": "y", "v": 2}]
	c.v == 1
}

numbers := {"one": 1, "two": 2, "three": 3}
`;
    const { outcomes, problems } = await run({ "cases.rego": tests });
    expect(problems).toEqual([]);
    expect(outcomes).toEqual({
      test_sum: { result: "failed", message: 'case "three" does not hold' },
      test_fine: passed,
      test_bound: { result: "failed", message: 'case "y" does not hold' },
    });
  });

  it("are read in the version of the language they are written in", async () => {
    const old =
      'package old\n\ndeny[msg] { input.bad; msg := "bad" }\n\ntest_bad { deny["bad"] with input as {"bad": true} }\n';
    expect(await run({ "old.rego": old })).toMatchObject({ version: "v0", outcomes: { test_bad: passed } });
    const broken = await run({ "x.rego": "package x\n\ntest_a if {" });
    expect(broken.problems).toMatchObject([{ code: "rego_parse_error", file: "x.rego", row: 3 }]);
    const unknown = await run({ "x.rego": "package x\n\ntest_a if nothing(1)\n" });
    expect(unknown.problems).toMatchObject([{ code: "rego_type_error", file: "x.rego", row: 3 }]);
    expect(await run({ "x.rego": "package x\n\na := 1\n" })).toMatchObject({ problems: [], outcomes: {} });
  });

  it("are compiled by the module that releases hold", async () => {
    const modules = { "x.rego": "package x\n\ntest_a if 1 + 1 == 2\n" };
    const compiled = await compileRegoTests(compilerOfRegoTests(wasmFile ?? ""), modules);
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
    expect(runRegoTests(compiled, { nowNs: 0n }).outcomes).toMatchObject([
      { name: "test_a", result: "passed" },
    ]);
  });

  it("end when their time is over", async () => {
    let now = 0;
    const loop =
      "package x\n\ntest_a if count([1 | some i in numbers.range(1, 1000); some j in numbers.range(1, 1000); i == j]) == 1\n";
    const { outcomes } = await run({ "x.rego": loop }, { timeoutMs: 10, monotonicNow: () => (now += 4) });
    expect(outcomes).toEqual({ test_a: { result: "late", message: expect.stringContaining("10 ms") } });
  });

  it("tell which lines of the policy they reached", async () => {
    const tests = `package shop_test

import data.shop

test_few if count(shop.deny) == 0 with input as {"replicas": 2, "image": "a"} with shop.known as true
`;
    const { coverage } = await run(
      { "shop.rego": policy, "shop_test.rego": tests },
      { data: { limits: { most: 3 } } },
    );
    expect(coverage).toEqual({
      files: [
        {
          file: "shop.rego",
          covered: 2,
          all: 10,
          missed: [
            [5, 5],
            [7, 7],
            [12, 14],
            [17, 19],
          ],
        },
      ],
      covered: 2,
      all: 10,
    });
  });
});
