import { describe, expect, it } from "vitest";
import { compileCelRules } from "./compile.ts";
import type { CelQuestion } from "./question.ts";
import { QuickRules } from "./quick-rule.ts";
import type { CelRulesSpec } from "./spec.ts";

const question: CelQuestion = {
  request: {
    kind: { group: "", version: "v1", kind: "ConfigMap" },
    resource: { group: "", version: "v1", resource: "configmaps" },
    operation: "CREATE",
    name: "a",
    namespace: "ns",
  },
  object: {
    metadata: { name: "a" },
    data: { size: "1Gi" },
    list: Array.from({ length: 300 }, (_, at) => at),
  },
};
const inTime = () => false;

function rule(expression: string, more: Partial<CelRulesSpec> = {}): CelRulesSpec {
  return { validations: [{ expression }], ...more };
}

const variables = [{ name: "size", expression: "quantity(object.data.size)" }];
const specs: readonly CelRulesSpec[] = [
  rule("object.metadata.name == 'a'"),
  rule("object.metadata.name == 'b'"),
  rule("object.metadata.missing == 'b'"),
  rule("object.metadata.missing == 'b'", { failurePolicy: "Ignore" }),
  rule("object.list.all(a, object.list.all(b, object.list.all(c, a + b + c >= 0)))"),
  rule("variables.size.isGreaterThan(quantity('1.5Ei')) || variables.size.isInteger()", { variables }),
  rule("variables.size.isInteger()", { variables }),
  rule("variables.size == 'other'", { variables: [{ name: "size", expression: "'other'" }] }),
  rule("variables.none == 1", { variables: [{ name: "none", expression: "object.none" }] }),
  rule("authorizer.path('/').check('get').allowed()"),
];

describe("a rule that most requests keep", () => {
  it("is told to be kept if, and only if, there is nothing to say of it, whatever was asked before", () => {
    const compiled = specs.map((spec) => compileCelRules(spec));
    const authorize = () => undefined;
    const rules = new QuickRules({ question, authorize, isLate: inTime });
    const told = [...compiled, ...compiled.toReversed()].map(({ quick, evaluate }) => {
      const { failures, ignoredErrors, pending } = evaluate(question, { authorize, isLate: inTime });
      const isSilent = failures.length + ignoredErrors.length + pending.length === 0;
      return [quick !== undefined && rules.isKept(quick), isSilent];
    });
    expect(told.filter(([isKept, isSilent]) => isKept !== isSilent)).toEqual([]);
    expect(told.filter(([isKept]) => isKept)).toHaveLength(6);
  });

  it("is not kept when time is over while it is evaluated", () => {
    const { quick } = compileCelRules(rule("object.list.all(a, object.list.all(b, a + b >= 0))"));
    const ask = (isLate: () => boolean) =>
      quick && new QuickRules({ question, authorize: undefined, isLate }).isKept(quick);
    expect([ask(inTime), ask(() => true)]).toEqual([true, false]);
  });

  it.each<[string, Partial<CelRulesSpec>]>([
    ["matchConditions", { matchConditions: [{ name: "x", expression: "true" }] }],
    ["audit annotations", { auditAnnotations: [{ key: "x", valueExpression: "'a'" }] }],
    ["several validations", { validations: [{ expression: "true" }, { expression: "true" }] }],
    ["a message of its own", { validations: [{ expression: "true", messageExpression: "'a'" }] }],
    [
      "parameters",
      { paramKind: { apiVersion: "v1", kind: "ConfigMap" }, paramRef: { parameterNotFoundAction: "Deny" } },
    ],
  ])("is not what a policy with %s is", (_, more) => {
    expect(compileCelRules(rule("true", more)).quick).toBeUndefined();
  });
});
