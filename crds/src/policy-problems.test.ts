import fc from "fast-check";
import { expect, it } from "vitest";
import { formatPolicyProblems, parsePolicyProblems } from "./policy-problems.ts";

const problem = fc.record({
  policy: fc.string({ maxLength: 63 }),
  reason: fc.constantFrom("MissingRights", "NotRead"),
  message: fc.string({ maxLength: 1024 }),
});

it("is read as it was written", () => {
  fc.assert(
    fc.property(fc.array(problem, { maxLength: 5 }), (problems) => {
      expect(parsePolicyProblems(formatPolicyProblems(problems))).toEqual(problems);
    }),
  );
});

it("takes what is no report for nothing", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(parsePolicyProblems(text)).toEqual([]);
    }),
  );
});

it("is bounded", () => {
  const problems = Array.from({ length: 500 }, () => ({
    policy: "p",
    reason: "NotRead",
    message: "é".repeat(5000),
  }));
  const text = formatPolicyProblems(problems) ?? "";
  expect(Buffer.byteLength(text)).toBeLessThan(33 * 1024);
  expect(parsePolicyProblems(text).length).toBeGreaterThan(10);
});
