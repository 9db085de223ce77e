import { describe, expect, it } from "vitest";
import { compileCelRules } from "./compile.ts";
import { CelRulesError, type RuleProblem } from "./errors.ts";
import type { CelQuestion } from "./question.ts";
import type { CelRulesSpec } from "./spec.ts";

function problems(spec: CelRulesSpec): readonly RuleProblem[] {
  try {
    compileCelRules(spec);
    return [];
  } catch (error) {
    if (error instanceof CelRulesError) return error.problems;
    throw error;
  }
}

const told = (spec: CelRulesSpec) => problems(spec).map(({ path, message }) => `${path}: ${message}`);
const rule = (expression: string) => ({ validations: [{ expression }] });

const question: CelQuestion = {
  request: {
    kind: { group: "", version: "v1", kind: "ConfigMap" },
    resource: { group: "", version: "v1", resource: "configmaps" },
    operation: "CREATE",
    name: "a",
    namespace: "team-a",
    userInfo: { username: "jane", groups: ["devs"] },
  },
  object: {
    metadata: { name: "a", labels: { constructor: "own" } },
    data: { n: "7" },
    spec: { list: [3, 1, 2] },
  },
  namespaceObject: {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: {
      name: "team-a",
      creationTimestamp: "2024-01-01T00:00:00Z",
      managedFields: [{}],
      labels: { tier: "front" },
    },
    spec: { finalizers: ["kubernetes"] },
  },
};

const failures = (spec: CelRulesSpec, asked: Partial<CelQuestion> = {}) =>
  compileCelRules(spec)
    .evaluate({ ...question, ...asked })
    .failures.map(({ message }) => message);
const isKept = (expression: string, asked: Partial<CelQuestion> = {}) => failures(rule(expression), asked);

describe("compiling rules", () => {
  it("names field, line and column of every mistake, in the order of the spec", () => {
    expect(
      told({
        matchConditions: [{ name: "c", expression: "variables.x" }],
        variables: [{ name: "if", expression: "1 +" }],
        validations: [
          { expression: "true" },
          { expression: "object.a ==\n  foo", message: "a\nb", reason: "Unauthorized" },
        ],
        auditAnnotations: [
          { key: "k", valueExpression: "1" },
          { key: "k", valueExpression: "''" },
        ],
      }),
    ).toEqual([
      "spec.matchConditions[0].expression: line 1, column 1: undeclared reference to 'variables' (in container '')",
      "spec.variables[0].name: must be a valid CEL identifier",
      expect.stringContaining("spec.variables[0].expression: line 1, column 4: Syntax error: "),
      "spec.validations[1].expression: line 2, column 3: undeclared reference to 'foo' (in container '')",
      "spec.validations[1].message: must not contain line breaks",
      'spec.validations[1].reason: Unsupported value: "Unauthorized": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge"',
      "spec.auditAnnotations[0].valueExpression: must evaluate to one of [string null_type] but got int",
      'spec.auditAnnotations[1].key: Duplicate value: "k"',
    ]);
  });

  it("wants something to do, and bools that are known to be", () => {
    expect(told({})).toHaveLength(2);
    expect(told(rule("object.spec.paused"))).toEqual([
      "spec.validations[0].expression: must evaluate to bool but got dyn",
    ]);
    expect(told(rule("  "))).toEqual(["spec.validations[0].expression: write an expression"]);
  });

  it("words mistakes as the API server does", () => {
    expect(problems(rule("'ü' == x"))[0]?.detail).toBe(
      "Invalid value: \"'ü' == x\": compilation failed: ERROR: <input>:1:8: undeclared reference to 'x' (in container '')\n" +
        " | 'ü' == x\n | .．.....^",
    );
    expect(problems(rule("int('x') == 1"))[0]?.detail).toBe(
      "Internal error: program instantiation failed: type conversion error from 'string' to 'int'",
    );
  });

  it("finds literals that cannot be read, mixed lists and formats that do not fit", () => {
    expect(told(rule("duration('1d') == duration('1h')"))).toEqual([
      "spec.validations[0].expression: line 1, column 10: invalid duration argument",
    ]);
    expect(told(rule("'a'.matches('(')"))).toEqual([
      "spec.validations[0].expression: line 1, column 13: invalid matches argument",
    ]);
    expect(told(rule("object.a in [object.b, 'x']"))).toEqual([
      "spec.validations[0].expression: line 1, column 24: expected type 'dyn' but found 'string'",
    ]);
    expect(told(rule("'%d %s'.format([1, 'x']) != ''"))).toEqual([]);
    const formats = [
      "'%d'.format(['x'])",
      "'%s'.format([1, 2])",
      "'%s %s'.format([1])",
      "'%y'.format([1])",
      "'%'.format([1])",
    ];
    expect(
      formats.map((text) =>
        told(rule(`${text} != ''`))[0]
          ?.split(": ")
          .slice(2)
          .join(": "),
      ),
    ).toEqual([
      "error during formatting: decimal clause can only be used on integers, was given string",
      "too many arguments supplied to string.format (expected 1, got 2)",
      "index 1 out of range",
      'could not parse formatting clause: unrecognized formatting clause "y"',
      "unexpected end of string",
    ]);
  });

  it("knows which variable is in sight where", () => {
    const message = {
      validations: [{ expression: "false", messageExpression: "authorizer.path('/').check('get').reason()" }],
    };
    expect(told(message)[0]).toContain("undeclared reference to 'authorizer'");
    expect(told(rule("params == null"))[0]).toContain("undeclared reference to 'params'");
    expect(told({ ...rule("params == null"), paramKind: { apiVersion: "v1", kind: "ConfigMap" } })).toEqual(
      [],
    );
    expect(told({ ...rule("variables.b"), variables: [{ name: "a", expression: "true" }] })[0]).toContain(
      "undefined field 'b'",
    );
    expect(told(rule("request.uid == ''"))[0]).toContain("undefined field 'uid'");
  });

  it("has the functions of Kubernetes 1.36 and no others", () => {
    expect(told(rule("[1].includes(1)"))[0]).toContain("undeclared reference to 'includes'");
    expect(told(rule("cel.bind(x, 1, x == 1)"))).not.toEqual([]);
    expect(told(rule("'a'.reverse() == 'a'"))).not.toEqual([]);
    expect(told(rule("quantity('1').isInteger() && isIP('::1') && [1, 2].sum() == 3"))).toEqual([]);
  });
});

describe("evaluating rules", () => {
  it("sees request, objects and namespace as the server shows them", () => {
    expect(isKept("request.operation == 'CREATE' && request.userInfo.groups == ['devs']")).toEqual([]);
    expect(isKept("oldObject == null && !has(request.subResource) && request.dryRun == false")).toEqual([]);
    expect(isKept("namespaceObject.metadata.labels.tier == 'front'")).toEqual([]);
    expect(
      isKept("has(dyn(namespaceObject).metadata.managedFields) || has(dyn(namespaceObject).kind)"),
    ).toHaveLength(1);
    expect(isKept("namespaceObject == null", { namespaceObject: undefined })).toEqual([]);
  });

  it("survives what upstream's declared types get wrong", () => {
    expect(isKept("namespaceObject.metadata.creationTimestamp.getFullYear() == 2024")).toEqual([
      expect.stringContaining("no such overload"),
    ]);
  });

  it("reads own keys only", () => {
    expect(
      isKept("object.metadata.labels.constructor == 'own' && !has(object.metadata.labels.toString)"),
    ).toEqual([]);
    expect(isKept("has(object.__proto__) || has(object.data.hasOwnProperty)")).toHaveLength(1);
    const hostile = JSON.parse('{"__proto__": {"polluted": "yes"}, "a": 1}') as unknown;
    expect(
      isKept("object.__proto__.polluted == 'yes' && !has(object.polluted)", { object: hostile }),
    ).toEqual([]);
  });

  it("uses variables in rules and messages", () => {
    const spec = {
      variables: [
        { name: "n", expression: "int(object.data.n)" },
        { name: "double", expression: "variables.n * 2" },
      ],
      validations: [
        {
          expression: "variables.double < 10",
          messageExpression: "'is ' + string(variables.double)",
          reason: "Forbidden",
        },
      ],
    };
    expect(compileCelRules(spec).evaluate(question).failures).toEqual([
      { kind: "denied", index: 0, message: "is 14", reason: "Forbidden", param: undefined },
    ]);
  });

  it("asks the authorizer and waits for its answer", () => {
    const rules = compileCelRules(rule("authorizer.requestResource.check('delete').allowed()"));
    const { pending } = rules.evaluate(question, { authorize: () => undefined });
    expect(pending).toEqual([
      {
        kind: "resource",
        user: "request",
        verb: "delete",
        group: "",
        resource: "configmaps",
        subresource: "",
        namespace: "team-a",
        name: "a",
      },
    ]);
    const authorize = () => ({ allowed: false, reason: "no" });
    expect(rules.evaluate(question, { authorize }).failures).toHaveLength(1);
    expect(rules.evaluate(question).failures[0]?.message).toContain("no such attribute(s): authorizer");
  });

  it("stops at the cost limit of one expression, and when time is up", () => {
    const loops = "lists.range(2000).all(a, lists.range(2000).all(b, a + b >= 0))";
    expect(isKept(loops)).toEqual([
      `expression '${loops}' resulted in error: operation cancelled: actual cost limit exceeded`,
    ]);
    const { failures: late } = compileCelRules(rule(loops)).evaluate(question, { isLate: () => true });
    expect(late[0]?.message).toContain("operation interrupted");
  });

  it("asks for the time before each expression, and evaluates none after it is over", () => {
    const rules = compileCelRules({
      validations: [{ expression: "object.x == 1" }, { expression: "2 > 3" }, { expression: "1 > 2" }],
    });
    let asked = 0;
    const { failures } = rules.evaluate(question, { isLate: () => ++asked > 1 });
    expect(failures.map(({ kind }) => kind)).toEqual(["error", "error", "error"]);
    expect(failures[0]?.message).toContain("no such key");
    expect(failures[1]?.message).toBe("expression '2 > 3' resulted in error: operation interrupted");
    expect(asked).toBe(2);
  });

  it("ends an expression whose variable ran out of time, and lets another policy compute the value", () => {
    const slow = { name: "slow", expression: "lists.range(400).all(a, a >= 0)" };
    const [first, second] = ["variables.slow || true", "variables.slow"].map((expression) =>
      compileCelRules({ variables: [slow], validations: [{ expression }] }),
    );
    const asked = { ...question };
    let looks = 0;
    const late = first?.evaluate(asked, { isLate: () => ++looks > 1 }).failures;
    expect(late?.[0]?.message).toContain("resulted in error: operation interrupted");
    expect(second?.evaluate(asked).failures).toEqual([]);
  });

  it("ends an expression whose variable takes too much work", () => {
    const rules = compileCelRules({
      variables: [{ name: "v", expression: "object.l.map(x, object.l + object.l).size() > 0" }],
      validations: [{ expression: "variables.v || true" }],
    });
    const { failures } = rules.evaluate({ ...question, object: { l: Array<number>(10_000).fill(0) } });
    expect(failures[0]?.message).toContain("resulted in error: operation cancelled: too much work");
  });

  it("keeps what one policy does to a quantity from others that have the same variable", () => {
    const q = { name: "q", expression: "quantity(object.q)" };
    const big = { name: "big", expression: "quantity('100000000000000000000000')" };
    const compares = compileCelRules({
      variables: [q, big],
      validations: [{ expression: "dyn(variables.q).isLessThan(dyn(variables.big))" }],
    });
    const reads = compileCelRules({
      variables: [q],
      validations: [{ expression: "!variables.q.isInteger() || variables.q.asInteger() <= 10" }],
    });
    const both = compileCelRules({
      variables: [q, big],
      validations: [
        { expression: "dyn(variables.q).isLessThan(dyn(variables.big)) && variables.q.isInteger()" },
      ],
    });
    const asked = { ...question, object: { q: "1000" } };
    expect(compares.evaluate(asked).failures).toEqual([]);
    expect(reads.evaluate(asked).failures).toMatchObject([{ kind: "denied" }]);
    // Within a policy it is as on the server: compared with a decimal, a quantity is no integer any more.
    expect(both.evaluate(asked).failures).toMatchObject([{ kind: "denied" }]);
  });

  it("refuses expressions that nest too deeply, however they do it", () => {
    const deep = [
      Array.from({ length: 20 }).reduce<string>((e) => `[${e}]${".a".repeat(245)}`, "object"),
      Array.from({ length: 40 }).reduce<string>((e) => `[${e}]${"[0]".repeat(180)}`, "object"),
      Array.from({ length: 200 }).reduce<string>((e) => `[1].map(x, ${e})`, "object"),
    ];
    for (const expression of deep) {
      expect(() => compileCelRules({ validations: [{ expression: `${expression} == 1` }] })).toThrow(
        "expression nested too deeply",
      );
    }
    const allowed = [
      Array.from({ length: 150 }).reduce<string>((e) => `[1].map(x, ${e})`, "object"),
      Array.from({ length: 2 }).reduce<string>((e) => `[${e}]${"[0]".repeat(240)}`, "[object]"),
      Array.from({ length: 240 }).reduce<string>((e) => `(true ? ${e} : 1)`, "object"),
    ];
    for (const expression of allowed) {
      const rules = compileCelRules({ validations: [{ expression: `dyn(${expression}) == 1` }] });
      expect(rules.evaluate(question).failures[0]?.message).not.toContain("nested");
    }
  });

  it("compiles types that double with every step in little time", () => {
    const started = process.threadCpuUsage();
    let nested = "true";
    for (let at = 60; at > 0; at--) nested = `[{v${at - 1}: v${at - 1}}].all(v${at}, ${nested})`;
    const variables = Array.from({ length: 60 }, (_, at) => ({
      name: `v${at}`,
      expression: at === 0 ? "1" : `{variables.v${at - 1}: variables.v${at - 1}}`,
    }));
    compileCelRules({ variables, validations: [{ expression: `[1].all(v0, ${nested})` }] });
    const { user, system } = process.threadCpuUsage(started);
    expect((user + system) / 1_000).toBeLessThan(2_000);
  });

  it("never throws for what is in the question", () => {
    let nested: unknown = 1;
    for (let depth = 0; depth < 20_000; depth++) nested = [nested];
    const objects = [
      undefined,
      null,
      1,
      "text",
      [],
      { metadata: null },
      { metadata: { labels: [] } },
      nested,
      { deep: nested },
    ];
    const rules = compileCelRules({
      variables: [{ name: "v", expression: "object.metadata.labels" }],
      validations: [
        { expression: "variables.v.a == 'b'" },
        { expression: "object == oldObject || object == {'deep': object.deep}" },
        { expression: "'%s'.format([object]) == ''" },
        { expression: "object.spec.list.sort() == [1, 2, 3]" },
        { expression: "object.metadata.labels.all(k, v, v.size() > k.size())" },
      ],
    });
    for (const object of objects) {
      const oldObject = structuredCloneShallow(object);
      expect(
        rules.evaluate({ ...question, object, oldObject, namespaceObject: object }).failures.length,
      ).toBeGreaterThan(0);
    }
  });
});

function structuredCloneShallow(object: unknown): unknown {
  if (Array.isArray(object)) return [...(object as unknown[])];
  return typeof object === "object" && object !== null ? { ...object } : object;
}
