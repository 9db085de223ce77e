import { describe, expect, it } from "vitest";
import { CelError, CelPending } from "../errors.ts";
import type { Activation } from "../frame.ts";
import type { AuthorizationCheck } from "../kubernetes/authorization-check.ts";
import { BOOL } from "../types.ts";
import type { CelRecord, CelValue } from "../values.ts";
import { type CompiledParts, type CompiledValidation, evaluateParts } from "./evaluate.ts";
import type { CompiledExpression } from "./expression.ts";
import { OUT_OF_BUDGET } from "./expression-group.ts";
import type { CelQuestion } from "./question.ts";

const question: CelQuestion = {
  request: {
    kind: { group: "", version: "v1", kind: "ConfigMap" },
    resource: { group: "", version: "v1", resource: "configmaps" },
    operation: "CREATE",
    name: "a",
    namespace: "ns",
  },
  object: { metadata: { name: "a" } },
};

/** An expression that is this function, at this cost. */
function expression(source: string, run: (activation: Activation) => CelValue, cost = 1): CompiledExpression {
  return {
    source,
    resultType: BOOL,
    isShared: false,
    evaluate: (activation) => {
      try {
        return { kind: "value", value: run(activation), cost };
      } catch (error) {
        if (error instanceof CelPending || !(error instanceof Error)) throw error;
        return { kind: "error", error, cost };
      }
    },
    valueIn: (frame) => {
      frame.restart(0, undefined);
      frame.cost = cost;
      try {
        return run(frame.activation);
      } catch (error) {
        if (!(error instanceof CelError)) throw error;
        frame.failure = error;
        return undefined;
      }
    },
  };
}

const yes = expression("true", () => true);
const no = expression("false", () => false);
const broken = expression("broken", () => {
  throw new CelError("no such key: x");
});
const check = { kind: "path", user: "request", path: "/", verb: "get" } satisfies AuthorizationCheck;
const asking = expression("asking", () => {
  throw new CelPending(check);
});

function validation(rule: CompiledExpression, more: Partial<CompiledValidation> = {}): CompiledValidation {
  return {
    spec: { expression: rule.source },
    reason: "Invalid",
    expression: rule,
    messageExpression: undefined,
    ...more,
  };
}

function parts(more: Partial<CompiledParts>): CompiledParts {
  const { validations = [] } = more;
  return {
    failurePolicy: "Fail",
    hasParamKind: false,
    hasParamRef: false,
    denyWithoutParams: false,
    matchConditions: [],
    variables: [],
    validations: [],
    validationExpressions: validations.map((rule) => rule.expression),
    messageExpressions: validations.map((rule) => rule.messageExpression),
    messageCount: validations.filter((rule) => rule.messageExpression !== undefined).length,
    auditAnnotations: [],
    ...more,
  };
}

const messages = (more: Partial<CompiledParts>, asked: Partial<CelQuestion> = {}) =>
  evaluateParts(parts(more), { ...question, ...asked }, {}).failures.map(({ message }) => message);

describe("rules of a policy", () => {
  it("tell which were not kept, in order, and fail by error with the expression's text", () => {
    const outcome = evaluateParts(
      parts({ validations: [no, yes, broken].map((rule) => validation(rule)) }),
      question,
      {},
    );
    expect(outcome.isMatch).toBe(true);
    expect(outcome.failures).toEqual([
      { kind: "denied", index: 0, message: "failed expression: false", reason: "Invalid", param: undefined },
      {
        kind: "error",
        index: 2,
        message: "expression 'broken' resulted in error: no such key: x",
        reason: "Invalid",
        param: undefined,
      },
    ]);
  });

  it("pass over errors with failurePolicy Ignore, and still deny", () => {
    const outcome = evaluateParts(
      parts({ failurePolicy: "Ignore", validations: [validation(broken), validation(no)] }),
      question,
      {},
    );
    expect(outcome.failures.map(({ index }) => index)).toEqual([1]);
    expect(outcome.ignoredErrors).toHaveLength(1);
  });

  it("say what messageExpression gives, and message when it gives nothing of use", () => {
    const spec = { expression: "false", message: " fallback " };
    const saying = (text: CelValue) =>
      validation(no, { spec, messageExpression: expression("m", () => text) });
    expect(
      messages({
        validations: [
          saying("  trimmed\t"),
          saying(""),
          saying("two\nlines"),
          saying("x".repeat(5121)),
          saying(7),
          validation(no, { spec, messageExpression: broken }),
        ],
      }),
    ).toEqual(["trimmed", "fallback", "fallback", "fallback", "fallback", "fallback"]);
  });

  it("do not apply when a condition is false, whatever errors others have", () => {
    const outcome = evaluateParts(
      parts({ matchConditions: [broken, asking, no], validations: [validation(no)] }),
      question,
      {},
    );
    expect(outcome).toMatchObject({ isMatch: false, failures: [], pending: [] });
  });

  it("fail by the errors of conditions, each text once", () => {
    expect(messages({ matchConditions: [broken, yes, broken], validations: [validation(no)] })).toEqual([
      "expression 'broken' resulted in error: no such key: x",
    ]);
    const other = expression("other", () => {
      throw new CelError("division by zero");
    });
    expect(messages({ matchConditions: [broken, other] })).toEqual([
      "[expression 'broken' resulted in error: no such key: x, expression 'other' resulted in error: division by zero]",
    ]);
    expect(
      messages({ failurePolicy: "Ignore", matchConditions: [broken], validations: [validation(no)] }),
    ).toEqual([]);
  });

  it("decide nothing while an answer of the authorizer is missing", () => {
    const outcome = evaluateParts(
      parts({ validations: [no, asking, asking].map((rule) => validation(rule)) }),
      question,
      {},
    );
    expect(outcome.failures).toEqual([]);
    expect(outcome.pending).toEqual([check, check]);
  });

  it("compute a variable once for all validations, its error too, and once more for messages", () => {
    let computed = 0;
    const variables = [
      {
        name: "x",
        expression: expression("1 / 0", () => {
          computed++;
          throw new CelError("division by zero");
        }),
      },
    ];
    const reading = expression(
      "variables.x",
      (activation) => (activation.find("variables") as CelRecord).field("x") ?? null,
    );
    const failures = messages({
      variables,
      validations: [validation(reading), validation(reading, { messageExpression: reading })],
    });
    const text =
      "expression 'variables.x' resulted in error: composited variable \"x\" fails to evaluate: division by zero";
    expect(failures).toEqual([text, text]);
    expect(computed).toBe(2);
  });

  it("become one error when their cost exceeds the budget", () => {
    const dear = expression("dear", () => true, 6_000_000);
    expect(messages({ validations: [validation(dear), validation(dear)] })).toEqual([OUT_OF_BUDGET]);
    expect(messages({ matchConditions: [expression("c", () => true, 2_500_001)] })).toEqual([OUT_OF_BUDGET]);
    expect(
      messages({
        validations: [
          validation(no, { messageExpression: dear }),
          validation(yes, { messageExpression: dear }),
        ],
      }),
    ).toEqual([`failed messageExpression: ${OUT_OF_BUDGET}`, `failed messageExpression: ${OUT_OF_BUDGET}`]);
  });
});

describe("parameters", () => {
  const named = (name: string) => ({ metadata: { name } });
  const ruleOn = expression("params.metadata.name == 'good'", (activation) => {
    const params = activation.find("params") as { metadata: { name: string } };
    return params.metadata.name === "good";
  });
  const withParams = { hasParamKind: true, hasParamRef: true, validations: [validation(ruleOn)] };

  it("are taken one after the other", () => {
    const params = { objects: [named("bad"), named("good"), named("worse")] };
    const outcome = evaluateParts(parts(withParams), question, { params });
    expect(outcome.failures.map(({ param }) => param)).toEqual([0, 2]);
  });

  it("when there are none, make the policy not apply or the request fail", () => {
    expect(evaluateParts(parts(withParams), question, {})).toMatchObject({ isMatch: false, failures: [] });
    expect(messages({ ...withParams, denyWithoutParams: true })).toEqual([
      "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction",
    ]);
    expect(messages({ ...withParams, denyWithoutParams: true, failurePolicy: "Ignore" })).toEqual([]);
    const { failures } = evaluateParts(parts(withParams), question, { params: { problem: "unknown kind" } });
    expect(failures).toMatchObject([{ kind: "configuration", message: "unknown kind" }]);
  });

  it("end with one message when time is over", () => {
    const params = { objects: [named("bad"), named("bad"), named("bad")] };
    let looks = 0;
    const isLate = () => ++looks > 1;
    const { failures } = evaluateParts(parts(withParams), question, { params, isLate });
    expect(failures.map(({ kind, param }) => [kind, param])).toEqual([
      ["denied", 0],
      ["error", 1],
    ]);
  });

  it("are null for a policy whose binding names none", () => {
    const seen: CelValue[] = [];
    const looking = expression("params", (activation) => {
      seen.push(activation.find("params") === undefined ? "none" : null);
      return true;
    });
    messages({ hasParamKind: true, validations: [validation(looking)] });
    messages({ validations: [validation(looking)] });
    expect(seen).toEqual([null, "none"]);
  });
});

describe("audit annotations", () => {
  const annotating = (
    expressions: readonly CompiledExpression[],
    failurePolicy: "Fail" | "Ignore" = "Fail",
  ) =>
    evaluateParts(
      parts({
        failurePolicy,
        auditAnnotations: expressions.map((rule, at) => ({ key: `k${at}`, expression: rule })),
      }),
      question,
      {},
    );

  it("keep texts, trimmed, and leave out null and blanks", () => {
    const { auditAnnotations } = annotating([
      expression("a", () => " text "),
      expression("b", () => null),
      expression("c", () => "  "),
      expression("d", () => "é".repeat(6000)),
    ]);
    expect([...auditAnnotations.keys()]).toEqual(["k0", "k3"]);
    expect(auditAnnotations.get("k0")).toEqual(["text"]);
    expect(auditAnnotations.get("k3")?.[0]).toHaveLength(5120);
  });

  it("that fail refuse the request unless failurePolicy is Ignore", () => {
    expect(annotating([broken]).failures).toMatchObject([{ kind: "auditAnnotation", index: 0 }]);
    expect(annotating([broken], "Ignore").failures).toEqual([]);
  });

  it("have no authorizer to ask, as on the server", () => {
    const seen: boolean[] = [];
    const looking = expression("authorizer", (activation) => {
      seen.push(activation.find("authorizer") !== undefined);
      return true;
    });
    const authorize = () => ({ allowed: true, reason: "" });
    evaluateParts(
      parts({ validations: [validation(looking)], auditAnnotations: [{ key: "k", expression: looking }] }),
      question,
      { authorize },
    );
    expect(seen.sort()).toEqual([false, true]);
  });
});
