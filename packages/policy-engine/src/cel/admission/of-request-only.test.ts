import { expect, it } from "vitest";
import { CelEnvironment } from "../environment.ts";
import { BOOL, DYN } from "../types.ts";
import { compileCelRules } from "./compile.ts";
import { isOfRequestOnly } from "./of-request-only.ts";
import type { CelQuestion } from "./question.ts";

const environment = new CelEnvironment({ variables: [], optionalSyntax: true });

it.each([
  ["object.spec.containers + oldObject.x", true],
  ["request.userInfo.username == namespaceObject.metadata.name", true],
  ["[1].exists(v, v == 1)", true],
  ["object.variables.x", true],
  ["variables.x", false],
  ["params.limit > 1", false],
  ["authorizer.path('/x').check('get').allowed()", false],
  ["[1].all(variables, variables > 0)", false],
])("%s is the same in every policy: %s", (text, expected) => {
  expect(isOfRequestOnly(environment.parse(text), DYN)).toBe(expected);
});

it("does not share values that hold a quantity, which changes as it is compared", () => {
  expect(isOfRequestOnly(environment.parse("[quantity(object.q)]"), DYN)).toBe(false);
  expect(isOfRequestOnly(environment.parse("quantity(object.q).isInteger()"), BOOL)).toBe(true);
});

const question = (count: number): CelQuestion => ({
  request: {
    kind: { group: "", version: "v1", kind: "ConfigMap" },
    resource: { group: "", version: "v1", resource: "configmaps" },
    operation: "CREATE",
  },
  object: { items: Array.from({ length: count }, (_, at) => at) },
});
const rules = (limit: number) =>
  compileCelRules({
    variables: [
      { name: "sum", expression: "object.items.map(i, i * 2).sum()" },
      { name: "own", expression: `variables.sum + ${limit}` },
    ],
    validations: [{ expression: `variables.own < ${limit * 2}`, messageExpression: "string(variables.own)" }],
  });

it("computes what policies share once for a request, and anew for the next one", () => {
  const [few, many] = [rules(1), rules(100)];
  const asked = question(4);
  expect(few.evaluate(asked).failures).toMatchObject([{ message: "13" }]);
  expect(many.evaluate(asked).failures).toEqual([]);
  expect(few.evaluate(question(1)).failures).toEqual([]);
  expect(many.evaluate(question(20)).failures).toMatchObject([{ message: "480" }]);
});

it("counts the cost for every policy all the same", () => {
  const asked = question(1_000);
  const outcomes = [rules(1), rules(2)].map((each) => each.evaluate(asked, { costBudget: 5_000 }).failures);
  expect(outcomes[0]).toMatchObject([{ message: expect.stringContaining("running out of cost budget") }]);
  expect(outcomes[1]).toMatchObject([{ message: expect.stringContaining("running out of cost budget") }]);
});
