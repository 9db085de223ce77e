import { describe, expect, it } from "vitest";
import { celPolicy, newYear } from "../../testing/objects.ts";
import type { AdmissionRequestLike } from "../policy-set/request.ts";
import { requestToCreate } from "./answers.ts";
import { benchPolicies, type PolicyBench } from "./bench.ts";

const create = requestToCreate([]);
const configMap = (name: string, data: Record<string, string> = {}): AdmissionRequestLike => {
  const request = create({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace: "shop" },
    data,
  });
  if (request === undefined) throw new Error("no request");
  return request;
};
const rules = (...expressions: string[]) => ({
  validations: expressions.map((expression) => ({ expression })),
});

/** Each look at the clock is a millisecond later. */
function bench(input: Pick<PolicyBench, "policies" | "requests"> & Partial<PolicyBench>) {
  let at = 0;
  return benchPolicies({
    exceptions: [],
    known: [],
    serverMinor: 37,
    now: newYear,
    rounds: 10,
    mostMs: 1e9,
    monotonicNow: () => at++,
    ...input,
  });
}

describe("measuring policies", () => {
  it("takes time by the clock it is given, and what is spent as the API server counts it", () => {
    const report = bench({
      policies: [celPolicy("cheap", rules("object.kind == 'ConfigMap'"))],
      requests: [configMap("a"), configMap("b")],
    });
    expect(report.problems).toEqual([]);
    const [cheap] = report.policies;
    expect(cheap).toMatchObject({ policy: "cheap", engine: "cel", requests: 2, untold: 0, failed: 0 });
    // Two requests, ten rounds, one millisecond between two looks.
    expect(cheap?.time).toEqual({ samples: 20, p50Ms: 1, p99Ms: 1, mostMs: 1 });
    // cel-go: a unit for the selection and one or two for the comparison of short texts; never none.
    expect(cheap?.spent.cel).toMatchObject({ limit: 10_000_000, failsWithLongLists: false });
    expect(cheap?.spent.cel?.most).toBeGreaterThan(0);
  });

  it("names the costliest request, and what longer lists would cost", () => {
    const expression = "object.metadata.finalizers.all(f, f.startsWith('shop'))";
    const withFinalizers = (name: string, count: number): AdmissionRequestLike => {
      const request = configMap(name);
      const metadata = { name, namespace: "shop", finalizers: Array.from({ length: count }, () => "shop/x") };
      return { ...request, object: { ...(request.object as object), metadata } };
    };
    const { policies } = bench({
      policies: [celPolicy("finalizers", rules(expression))],
      requests: [withFinalizers("one", 1), withFinalizers("three", 3), withFinalizers("two", 2)],
    });
    const work = policies[0]?.spent.cel;
    expect(work?.mostAt).toBe(1);
    expect(work?.median).toBeLessThan(work?.most ?? 0);
    // Ten times the items, so nearly ten times the cost.
    expect(work?.withLongLists).toBeGreaterThan(5 * (work?.most ?? 0));
  });

  it("tells that a policy would be ended on longer lists", () => {
    const each = "object.metadata.finalizers";
    const expression = `${each}.all(a, ${each}.all(b, ${each}.all(c, ${each}.all(d, a + b + c + d != ''))))`;
    const request = configMap("a");
    const metadata = { name: "a", namespace: "shop", finalizers: ["x/y", "x/z"] };
    const { policies } = bench({
      policies: [celPolicy("nested", rules(expression))],
      requests: [{ ...request, object: { ...(request.object as object), metadata } }],
    });
    expect(policies[0]?.failed).toBe(0);
    expect(policies[0]?.spent.cel?.failsWithLongLists).toBe(true);
  });

  it("adds up what all spend together", () => {
    const { policies, together } = bench({
      policies: [
        celPolicy("a", rules("object.kind != ''")),
        celPolicy("b", rules("object.kind != ''", "true")),
      ],
      requests: [configMap("a")],
    });
    const sum = policies.reduce((total, { spent }) => total + (spent.cel?.most ?? 0), 0);
    expect(together.spent.cel?.most).toBe(sum);
    expect(together.requests).toBe(1);
  });

  it("measures nothing of what a policy is not about, cannot tell here, or fails at", () => {
    const { policies } = bench({
      policies: [
        celPolicy("asks", rules("authorizer.path('/x').check('get').allowed()")),
        celPolicy("elsewhere", { matchConstraints: { matchPolicy: "Equivalent", resourceRules: [podRule] } }),
        celPolicy("fails", rules("object.data.missing == ''")),
      ],
      requests: [configMap("a")],
    });
    expect(policies).toMatchObject([
      { policy: "asks", requests: 0, untold: 1, time: undefined, spent: {} },
      { policy: "elsewhere", requests: 0, untold: 0, time: undefined, spent: {} },
      { policy: "fails", requests: 1, untold: 0, failed: 1 },
    ]);
  });

  it("stops when the time it is given is over", () => {
    const { policies } = bench({
      policies: [celPolicy("a", rules("true"))],
      requests: [configMap("a")],
      rounds: 1_000_000,
      mostMs: 5_000,
    });
    expect(policies[0]?.time?.samples).toBeLessThan(5_000);
    expect(policies[0]?.time?.samples).toBeGreaterThan(0);
  });

  it("tells what does not compile", () => {
    const { problems, policies } = bench({
      policies: [celPolicy("broken", rules("object.x =")), celPolicy("sound", rules("true"))],
      requests: [configMap("a")],
    });
    expect(problems).toMatchObject([{ name: "broken" }]);
    expect(policies).toMatchObject([{ policy: "sound" }]);
  });
});

const podRule = {
  apiGroups: [""],
  apiVersions: ["v1"],
  operations: ["CREATE" as const],
  resources: ["pods"],
};
