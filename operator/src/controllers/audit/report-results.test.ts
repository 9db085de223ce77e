import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AuditFinding } from "./finding.ts";
import { DEFAULT_RESULT_LIMITS, reportResults } from "./report-results.ts";

const finding = (
  policy: string,
  details: readonly string[],
  over: Partial<AuditFinding> = {},
): AuditFinding => ({
  policy,
  result: "fail",
  message: "as a whole",
  violations: details.map((detail, at) => ({ checkId: `c${at}`, detail })),
  ...over,
});
const bytesOf = (results: unknown): number => Buffer.byteLength(JSON.stringify(results));

describe("results of an object", () => {
  it("are its findings, in an order of their own, warnings told from failures", () => {
    const warning = finding("a", ["x"], { result: "warn" });
    const failing = finding("b", ["z", "y"]);
    const found = reportResults([failing, warning]);
    expect(found).toMatchObject({
      fail: 2,
      warn: 1,
      results: [
        { policy: "a", rule: "c0", result: "warn", message: "x" },
        { policy: "b", rule: "c0", result: "fail", message: "z" },
        { policy: "b", rule: "c1", result: "fail", message: "y" },
      ],
    });
    const turned = { ...failing, violations: [...failing.violations].reverse() };
    expect(reportResults([warning, turned])).toEqual(found);
  });

  it("are one a policy where they are too many, which says how many it stands for", () => {
    const many = Array.from({ length: 150 }, (_, at) => `detail ${at}`);
    const found = reportResults([finding("p", many), finding("q", ["only"])]);
    expect(found.fail).toBe(151);
    expect(found.results).toMatchObject([
      { policy: "p", rule: "summary", properties: { findings: "150" } },
      { policy: "q", rule: "c0", message: "only", properties: { findings: "1" } },
    ]);
    expect(found.results[0]?.message).toMatch(/^150 findings, one of them: detail \d+$/);
  });

  it("count what even one a policy leaves no room for", () => {
    const policies = Array.from({ length: 300 }, (_, at) =>
      finding(`p${String(at).padStart(3, "0")}`, ["x", "y"]),
    );
    const { results, fail } = reportResults(policies);
    expect(fail).toBe(600);
    expect(results).toHaveLength(100);
    expect(results.at(-1)).toMatchObject({
      policy: "(others)",
      properties: { policies: "201", findings: "402" },
    });
  });

  it("name every one of fifty policies, however long they talk", () => {
    const policies = Array.from({ length: 50 }, (_, at) => finding(`p${at}`, ["long ".repeat(1_000)]));
    const { results } = reportResults(policies);
    expect(new Set(results.map(({ policy }) => policy)).size).toBe(50);
    expect(bytesOf(results)).toBeLessThanOrEqual(DEFAULT_RESULT_LIMITS.bytes);
  });

  it("have policies of the cluster before tenants' policies, which take no room from them", () => {
    const noisy = finding(
      "a/noisy",
      Array.from({ length: 500 }, (_, at) => `tenant ${at}`),
    );
    const many = Array.from({ length: 200 }, (_, at) => finding(`a/p${at}`, ["one"]));
    const { results } = reportResults([noisy, ...many, finding("z", ["of the cluster"])]);
    expect(results[0]).toMatchObject({ policy: "z", message: "of the cluster" });
    expect(results.at(-1)).toMatchObject({ policy: "(others)" });
  });

  it("keep line breaks, escape sequences and broken characters of what they quote out", () => {
    const { results } = reportResults([finding("p", [`a\u001b[31mb\nc\ud800${"😀".repeat(600)}`])]);
    const message = results[0]?.message ?? "";
    expect(message).toMatch(/^a \[31mb c/);
    expect(message.isWellFormed()).toBe(true);
    expect(message.length).toBeLessThanOrEqual(1024);
  });

  it("are within their limits and count everything, whatever is found", () => {
    const violations = fc.array(fc.string({ unit: "binary", maxLength: 300 }), { maxLength: 8 });
    const findings = fc.uniqueArray(
      fc.record({
        policy: fc.string({ minLength: 1, maxLength: 253 }),
        result: fc.constantFrom("fail" as const, "warn" as const),
        details: violations,
      }),
      { selector: ({ policy }) => policy, maxLength: 30 },
    );
    const limits = { results: 20, bytes: 8_192 };
    fc.assert(
      fc.property(findings, (found) => {
        const given = found.map(({ policy, result, details }) => finding(policy, details, { result }));
        const { results, fail, warn } = reportResults(given, limits);
        expect(results.length).toBeLessThanOrEqual(limits.results);
        expect(bytesOf(results)).toBeLessThanOrEqual(limits.bytes);
        const told = results.reduce((sum, { properties }) => sum + Number(properties?.findings ?? 1), 0);
        const all = found.reduce((sum, { details }) => sum + Math.max(1, details.length), 0);
        expect([fail + warn, told]).toEqual([all, all]);
        expect(reportResults([...given].reverse(), limits)).toEqual({ results, fail, warn });
      }),
      { numRuns: 30 },
    );
  });
});
