import type { ShieldPolicy } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { admissionRequest, celPolicy, newYear } from "../../testing/objects.ts";
import { buildPolicySet } from "../policy-set/build.ts";
import { explainPolicy } from "./explain.ts";

const configMap = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "c", namespace: "team-a" },
  data: { a: "1" },
};

function explain(spec: Partial<ShieldPolicy["spec"]>) {
  const { policies, problems } = buildPolicySet({
    policies: [celPolicy("p", spec)],
    exceptions: [],
    serverMinor: 37,
    evaluatesNative: true,
  });
  expect(problems).toEqual([]);
  const [policy] = policies;
  if (policy === undefined) throw new Error("it does not compile");
  const context = { namespaceLabels: {}, now: newYear };
  return explainPolicy({ policy, exceptions: [], request: admissionRequest(configMap), context });
}

const adds = (path: string, value: string) => ({
  validations: [],
  mutations: [
    {
      patchType: "JSONPatch" as const,
      jsonPatch: { expression: `[JSONPatch{op: 'add', path: '${path}', value: ${value}}]` },
    },
  ],
});

describe("the explanation of a policy", () => {
  it.each(["Fail", "Ignore"] as const)(
    "blames no rule for an audit annotation in error, by failurePolicy %s",
    (failurePolicy) => {
      const { conclusion, why, runs } = explain({
        failurePolicy,
        validations: [{ expression: "has(object.metadata)" }, { expression: "object.none == 1" }],
        auditAnnotations: [{ key: "k", valueExpression: "string(object.data.missing)" }],
      });
      expect(runs[0]?.rules).toMatchObject([
        { verdict: "kept" },
        { verdict: "error", message: /no such key: none/ },
      ]);
      expect(runs[0]?.rules[0]).not.toHaveProperty("message");
      expect(conclusion).toBe("fails");
      expect(why).toContain("no such key: missing");
    },
  );

  it("says of one that only changes objects what it does", () => {
    expect(explain(adds("/metadata/labels", "{'a': 'b'}"))).toMatchObject({
      conclusion: "passes",
      isMutated: true,
      why: "its mutations change the object",
    });
    expect(explain(adds("/data/a", "'1'"))).toMatchObject({
      conclusion: "passes",
      isMutated: false,
      why: "its mutations leave the object as it is",
    });
    const matchConditions = [{ name: "no", expression: "false" }];
    expect(explain({ ...adds("/data/a", "'2'"), matchConditions }).conclusion).toBe("notMatched");
  });

  it("tells of a condition in error that failurePolicy Ignore passes over, which refuses nothing", () => {
    const matchConditions = [{ name: "m", expression: "object.none == 1" }];
    const { conclusion, isRefused, why, runs } = explain({ matchConditions, failurePolicy: "Ignore" });
    expect({ conclusion, isRefused }).toEqual({ conclusion: "fails", isRefused: false });
    expect(why).toContain("no such key: none");
    expect(runs[0]?.conditions).toMatchObject([{ result: { kind: "error" } }]);
  });
});
