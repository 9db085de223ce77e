import { describe, expect, it } from "vitest";
import { EvaluationError, type Question, type RegoPolicy } from "../rego/index.ts";
import { Documents, type ServedPolicy } from "./documents.ts";
import { withoutClashes } from "./serve.ts";

/** A policy that answers each of its rules with the rule's name, or what `answers` says. */
function policy(
  name: string,
  packagePath: readonly string[],
  rules: readonly string[],
  answers: Record<string, (question: Question) => ReturnType<RegoPolicy["evaluate"]>> = {},
): ServedPolicy {
  const entrypoint = packagePath.join("/");
  return {
    name,
    digest: `${name}-1`,
    packages: [packagePath],
    documents: [
      ...rules.map((rule) => ({
        path: [...packagePath, rule],
        entrypoint: `${entrypoint}/${rule}`,
        isRule: true,
      })),
      { path: packagePath, entrypoint, isRule: false },
    ],
    rego: {
      entrypoints: [],
      evaluate: (asked, question) => answers[asked]?.(question) ?? [{ result: `${asked} of ${name}` }],
    },
  };
}

const ask = (documents: Documents, ...path: (string | number)[]) => documents.decide({ path, nowNs: 0n });

describe("documents", () => {
  const documents = new Documents([
    policy("one", ["app", "a"], ["allow"], {
      "app/a/allow": ({ within }) => (within?.length ? [{ result: [...within] }] : []),
    }),
    policy("two", ["app", "b"], ["deny"]),
    policy("three", ["app", "b", "inner"], ["x"]),
    policy("four", ["system", "main"], ["hello"]),
  ]);

  it("are asked of the policy they belong to, and within a value", () => {
    expect(ask(documents, "app", "a", "allow", "x", 1)).toEqual({ kind: "value", value: ["x", 1] });
    expect(ask(documents, "app", "a", "allow")).toEqual({ kind: "undefined" });
    expect(ask(documents, "app", "b", "deny")).toEqual({ kind: "value", value: "app/b/deny of two" });
    expect(ask(documents, "system", "main", "hello")).toMatchObject({ kind: "value" });
  });

  it("above several policies are put together from theirs, without those about OPA itself", () => {
    const b = { deny: "app/b/deny of two", inner: "app/b/inner of three" };
    expect(ask(documents, "app", "b")).toEqual({ kind: "value", value: b });
    expect(ask(documents)).toEqual({ kind: "value", value: { app: { a: "app/a of one", b } } });
    expect(ask(new Documents([]))).toEqual({ kind: "value", value: {} });
  });

  it("that nobody has are missing, whatever they are called", () => {
    for (const path of [["nope"], ["app", "a", "nope"], ["app", 0], ["__proto__"], ["constructor", "name"]])
      expect(ask(documents, ...path)).toEqual({ kind: "missing" });
  });

  it("tell why they fail", () => {
    const failing = policy("p", ["p"], ["bad"], {
      "p/bad": () => {
        throw new EvaluationError("eval_cancel_error", "too much");
      },
    });
    expect(ask(new Documents([failing]), "p", "bad")).toEqual({
      ...{ kind: "error", code: "eval_cancel_error", message: "too much" },
    });
  });
});

it("the later of two policies with one package is not served", () => {
  const [first, second, third] = [
    policy("a", ["p"], []),
    policy("b", ["p"], []),
    policy("c", ["p", "q"], []),
  ];
  expect(withoutClashes([first, second, third])).toEqual({
    served: [first, third],
    problems: [
      { policy: "b", message: expect.stringMatching(/package p is served by ShieldPolicy a already/) },
    ],
  });
});
