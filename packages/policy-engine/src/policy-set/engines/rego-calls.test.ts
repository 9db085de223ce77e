import type { ShieldPolicy } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import {
  admissionRequest,
  celPolicy,
  newYear,
  podObject,
  shieldException,
} from "../../../testing/objects.ts";
import { runPolicyTests } from "../../policy-tests/run.ts";
import { testContext } from "../../rego/builtins/builtins.test-kit.ts";
import { CallError, EvaluationError } from "../../rego/builtins/contract.ts";
import { httpBuiltins } from "../../rego/builtins/http.ts";
import { CallAnswers, type CallOutcome, type HttpCall } from "../../rego/calls/index.ts";
import type { RegoQuestion } from "../../rego/program/index.ts";
import type { RegoLookup } from "../../rego-policies/state.ts";
import { buildPolicySet } from "../build.ts";
import { compilePolicy } from "../compile.ts";

const configMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a", namespace: "team-a" } };
const resource = { group: "", version: "v1", resource: "configmaps" };
const request = {
  ...admissionRequest(podObject("x")),
  kind: { group: "", version: "v1", kind: "ConfigMap" },
  resource,
  name: "a",
  namespace: "team-a",
  operation: "CREATE",
  object: configMap,
};

function calling(spec: object = {}, name = "p"): ShieldPolicy {
  const { validations: _, ...rest } = celPolicy(name).spec;
  return {
    ...celPolicy(name),
    metadata: { name, uid: `uid-of-${name}`, generation: 1 },
    spec: {
      ...rest,
      engine: "rego",
      rego: { module: "package a", version: "v1", allowedHosts: ["ok.example"] },
      ...spec,
    } as ShieldPolicy["spec"],
  };
}

/** A program of two calls, the second made of what the first answered. */
const evaluate = ({ context }: RegoQuestion): readonly string[] => {
  const [send] = httpBuiltins;
  const call = (path: string) => {
    try {
      const given = { method: "get", url: `https://ok.example/${path}` };
      return send?.call([given], testContext(context as object)) as { raw_body: string };
    } catch (error) {
      // As the evaluator does, which adds the place.
      if (!(error instanceof CallError)) throw error;
      throw new EvaluationError(error.code, `http.send: ${error.message}`, { cause: error });
    }
  };
  return [call(call("first").raw_body).raw_body];
};
const rego: RegoLookup = () => ({
  kind: "ready",
  program: { entrypoint: "data.a.deny", rule: "deny", evaluate },
});
const setOf = (...policies: ShieldPolicy[]) =>
  buildPolicySet({ policies, exceptions: [shieldException("e")], serverMinor: 37, rego });
const context = { namespaceLabels: {}, now: newYear };

const answering =
  (answers: Record<string, string>) =>
  async ({ url }: HttpCall): Promise<CallOutcome> => {
    const body = answers[url.pathname];
    return body === undefined
      ? { kind: "failed", message: "nobody there" }
      : {
          kind: "answered",
          response: { status: "200 OK", statusCode: 200, headers: new Map(), body: Buffer.from(body) },
        };
  };

describe("a policy that calls hosts", () => {
  it("asks, and judges once everything is answered", async () => {
    const set = setOf(calling());
    const calls = new CallAnswers(answering({ "/first": "second", "/second": "it is wrong" }), () =>
      Buffer.from("s"),
    );
    const asked: string[] = [];
    for (;;) {
      const verdict = set.evaluate(request, { ...context, calls });
      if (verdict.asks.length === 0) {
        expect(verdict.denials[0]?.message).toContain("it is wrong");
        break;
      }
      expect(verdict.denials).toEqual([]);
      const asks = verdict.asks.map(({ policy, check }) => ({ policy, call: check as HttpCall }));
      asked.push(...asks.map(({ call }) => call.url.pathname));
      await calls.find(asks, 100);
    }
    expect(asked).toEqual(["/first", "/second"]);
  });

  it("leaves it to failurePolicy where the host does not answer, and says that trying again may help", async () => {
    for (const failurePolicy of ["Fail", "Ignore"] as const) {
      const set = setOf(calling({ failurePolicy }));
      const calls = new CallAnswers(answering({}), () => Buffer.from("s"));
      const { asks } = set.evaluate(request, { ...context, calls });
      await calls.find(
        asks.map(({ policy, check }) => ({ policy, call: check as HttpCall })),
        100,
      );
      const { denials, audits } = set.evaluate(request, { ...context, calls });
      expect(failurePolicy === "Fail" ? denials : audits).toMatchObject([
        { code: "CallFailed", message: expect.stringContaining("http.send: nobody there") },
      ]);
    }
  });

  it("reaches nothing without a list, which ends the evaluation", () => {
    const set = setOf(calling({ rego: { module: "package a", version: "v1" } }));
    expect(set.evaluate(request, context)).toMatchObject({
      asks: [],
      denials: [
        {
          code: "EvaluationError",
          message: expect.stringContaining("list those it may call in spec.rego.allowedHosts"),
        },
      ],
    });
  });

  it("asks about existing objects as well", () => {
    const audited = calling({ actions: { admission: "deny", background: "audit" } });
    expect(setOf(audited).judge(configMap, { ...context, resource })).toMatchObject({
      findings: [],
      asks: [{ policy: "p", check: { kind: "http" } }],
    });
  });

  it("is not tested without a cluster", () => {
    const compiled = compilePolicy(calling(), { serverMinor: 37, rego });
    const [outcome] = runPolicyTests(compiled, [
      { name: "t", operation: "CREATE", object: configMap, expect: { decision: "allow" } } as never,
    ]);
    expect(outcome).toMatchObject({
      result: "error",
      message: expect.stringContaining("calls ok.example by http.send, which only a cluster does"),
    });
  });
});
