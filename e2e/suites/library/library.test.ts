import { MAX_NAME_LENGTH, type ShieldPolicy } from "@shieldx/crds";
import { compilePolicy, runPolicyTests } from "@shieldx/policy-engine";
import { describe, expect, it } from "vitest";
import { CATEGORIES, readLibrary, SEVERITIES } from "./library.ts";

/** What is promised of each policy of the library. What only an API server can tell is in the integration test. */
const library = readLibrary();
const environment = { serverMinor: 37, evaluatesNative: true };

const outcomesOf = (policy: ShieldPolicy) =>
  runPolicyTests(compilePolicy(policy, environment), policy.spec.tests ?? [], { budgetMs: 60_000 });

/** `spec.securityContext: must not be …; remove it`: the field, what is wrong, and what to do. */
const withRemedy = /^[^:]+(: \w+)?: .+; .+[^.]$/;

it("is large, and no two have one name", () => {
  expect(library.length).toBeGreaterThanOrEqual(100);
  expect(new Set(library.map(({ name }) => name)).size).toBe(library.length);
  expect(new Set(library.map(({ title }) => title)).size).toBe(library.length);
  expect([...new Set(library.map(({ category }) => category))].sort()).toEqual([...CATEGORIES].sort());
});

describe.each(library.map((entry) => [entry.name, entry] as const))("%s", (name, entry) => {
  const { policy, controls } = entry;
  const { spec } = policy;
  const tests = spec.tests ?? [];
  const outcomes = outcomesOf(policy);

  it("says what it is, why, how bad it is and what to do", () => {
    expect(entry.file).toBe(`policies/${entry.category}/${name}.yaml`);
    expect(name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
    expect(name.length).toBeLessThanOrEqual(MAX_NAME_LENGTH - "restricted-".length);
    expect(SEVERITIES).toContain(entry.severity);
    expect(entry.title).toMatch(/^\S.{5,70}[^.]$/);
    expect(entry.description).toMatch(/^[A-Z*0-9a-z].{30,}\.$/);
    expect(entry.remedy).toMatch(/^[A-Z].+\.$/);
    expect(entry.unknownAnnotations).toEqual([]);
    for (const control of controls)
      expect(control).toMatch(
        /^(CIS-5\.[1-7]\.\d{1,2}|MITRE-T1\d{3}(\.\d{3})?|NSA-(pod-security|network-separation|authentication-authorization))$/,
      );
  });

  it("refuses nothing until somebody says so, and names exactly what it is about", () => {
    expect(spec).toMatchObject({ engine: "cel", evaluation: "Auto", actions: { admission: "warn" } });
    const rules = spec.matchConstraints?.resourceRules ?? [];
    expect(JSON.stringify(rules.map(({ scope: _, ...rule }) => rule))).not.toContain("*");
    // To audit Secrets, ShieldX would have to be allowed to read them all.
    const isAboutSecrets = rules.some(({ resources }) => resources.includes("secrets"));
    const isAboutConnecting = rules.some(({ operations }) => operations.includes("CONNECT"));
    expect(spec.actions.background).toBe(isAboutSecrets || isAboutConnecting ? "off" : "audit");
  });

  it("tells what to do in each message", () => {
    for (const { message = "" } of spec.validations ?? []) expect(message).toMatch(withRemedy);
    const denials = outcomes.filter(({ message }) => message.includes(" refuses "));
    expect(denials.length).toBeGreaterThanOrEqual(2);
    for (const { message } of denials) expect(message.replace(/^.*?": /, "")).toMatch(withRemedy);
  });

  it("passes its tests, which hold requests of both sorts", () => {
    expect(outcomes.filter(({ result }) => result !== "passed")).toEqual([]);
    const allowed = tests.filter(({ expect }, index) => {
      return expect.decision === "allow" && (outcomes[index]?.isMatched || isNeverAllowed(policy));
    });
    expect(allowed.length).toBeGreaterThanOrEqual(1);
    expect(tests.filter(({ expect }) => expect.decision === "deny").length).toBeGreaterThanOrEqual(2);
    expect(
      tests.filter(({ expect }) => expect.decision === "deny").every(({ expect }) => expect.message),
    ).toBe(true);
  });
});

/** A policy against a kind of request as such matches nothing that it lets pass. */
function isNeverAllowed({ spec }: ShieldPolicy): boolean {
  return (spec.matchConstraints?.resourceRules ?? []).every(({ operations }) =>
    operations.includes("CONNECT"),
  );
}
