import { type PolicyTest, policyTestSchema, type ShieldPolicy } from "@shieldx/crds";
import { describe, expect, it, vi } from "vitest";
import { celPolicy, offender, podObject, podSecurityPolicy } from "../../testing/objects.ts";
import { buildPolicySet } from "../policy-set/build.ts";
import { compilePolicy } from "../policy-set/compile.ts";
import { PolicyCompileError } from "../policy-set/errors.ts";
import { threadCpuNow } from "../policy-set/timing.ts";
import { requirePassingTests } from "./require.ts";
import { policyTestRun, type RunOptions, runPolicyTests } from "./run.ts";

const environment = { serverMinor: 37 };
const configMap = (metadata: object = {}) => ({ apiVersion: "v1", kind: "ConfigMap", metadata });
const owned = configMap({ labels: { owner: "x" } });
/** A case with the defaults of the kind. */
const test = (expect: PolicyTest["expect"], more: object = {}): PolicyTest =>
  policyTestSchema.parse({ name: "case", object: configMap(), expect, ...more });
const deny = (message?: string): PolicyTest["expect"] =>
  message === undefined ? { decision: "deny" } : { decision: "deny", message };
const allow: PolicyTest["expect"] = { decision: "allow" };

function run(policy: ShieldPolicy, one: PolicyTest, options?: RunOptions) {
  const compiled = compilePolicy(policy, { ...environment, evaluatesNative: true });
  const [outcome] = runPolicyTests(compiled, [one], options);
  return outcome;
}
const said = (policy: ShieldPolicy, one: PolicyTest) => {
  const outcome = run(policy, one);
  return `${outcome?.result}: ${outcome?.message}`;
};

describe("a case", () => {
  const policy = celPolicy("p");

  it("passes when verdict and message are as expected, whatever the policy's actions are", () => {
    for (const admission of ["deny", "warn", "audit", "off"] as const) {
      const acting = celPolicy("p", { actions: { admission } });
      expect(run(acting, test(deny("with an owner")))).toMatchObject({ result: "passed", isMatched: true });
      expect(run(acting, test(allow, { object: owned }))).toMatchObject({ result: "passed" });
    }
  });

  it("fails with what was expected and what came", () => {
    expect(said(policy, test(allow))).toMatch(
      /^failed: expected it to be allowed, but it was denied: .*owner/,
    );
    expect(said(policy, test(deny(), { object: owned }))).toBe(
      "failed: expected it to be denied, but it was allowed: nothing is wrong with it",
    );
    expect(said(policy, test(deny("nonsense")))).toMatch(
      /^failed: expected it to be denied with "nonsense", but it was denied: .*label it/,
    );
  });

  it("says that the policy is not about the request, where that is why it passes", () => {
    const secret = test(deny(), { object: { apiVersion: "v1", kind: "Secret" } });
    expect(said(policy, secret)).toContain("the policy is not about this CREATE of secrets");
    const scaled = test(deny(), {
      object: { apiVersion: "autoscaling/v1", kind: "Scale" },
      subresource: "scale",
    });
    expect(said(policy, scaled)).toContain("CREATE of scales.autoscaling/scale");
    expect(run(policy, { ...secret, expect: allow })).toMatchObject({ result: "passed", isMatched: false });
    expect(run(policy, test(allow, { object: configMap({ namespace: "kube-system" }) }))?.isMatched).toBe(
      false,
    );
  });

  it("takes an expression without a value for neither yes nor no", () => {
    const broken = celPolicy("p", {
      validations: [{ expression: "object.data.x == 'y'" }],
      actions: { admission: "warn" },
    });
    for (const one of [test(deny()), test(allow)]) {
      expect(said(broken, one)).toMatch(/^error: expected it to be .*, but .*no such key: data/);
    }
  });

  it("cannot ask the authorizer", () => {
    const asking = celPolicy("p", {
      validations: [{ expression: "authorizer.path('/x').check('get').allowed()" }],
    });
    expect(said(asking, test(deny()))).toMatch(/^error: .*asks the authorizer.*remove the case/);
  });

  it("says who asks, in which namespace, with which labels", () => {
    const validations = [
      {
        expression:
          "request.userInfo.username == 'jane' && namespaceObject.metadata.labels.team == 'a' && request.namespace == 'default'",
        message: "no",
      },
    ];
    const about = celPolicy("p", { validations });
    expect(said(about, test(deny("no"), { namespaceLabels: { team: "a" } }))).toMatch(/^passed/);
    const jane = { username: "jane", namespaceLabels: { team: "a" } };
    expect(said(about, test(allow, jane))).toMatch(/^passed/);
    const elsewhere = { ...jane, object: configMap({ namespace: "b" }) };
    expect(said(about, test(deny("no"), elsewhere))).toMatch(/^passed/);
    const selecting = celPolicy("p", {
      matchConstraints: {
        ...policy.spec.matchConstraints,
        matchPolicy: "Equivalent",
        namespaceSelector: { matchLabels: { team: "a" } },
      },
    });
    expect(run(selecting, test(deny(), { namespaceLabels: { team: "a" } }))?.result).toBe("passed");
    expect(run(selecting, test(allow))).toMatchObject({ result: "passed", isMatched: false });
  });

  it("may be an update, a deletion or a connection", () => {
    const about = (resources: string[]) => ({
      matchPolicy: "Equivalent" as const,
      resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["*" as const], resources }],
    });
    const unchanged = celPolicy("p", {
      matchConstraints: about(["configmaps"]),
      validations: [
        {
          expression:
            "request.operation == 'DELETE' ? object == null && !has(oldObject.metadata.finalizers) : object == oldObject",
          message: "changed",
        },
      ],
    });
    expect(said(unchanged, test(allow, { operation: "UPDATE", oldObject: configMap() }))).toMatch(/^passed/);
    const update = { operation: "UPDATE", object: owned, oldObject: configMap() };
    expect(said(unchanged, test(deny("changed"), update))).toMatch(/^passed/);
    const deletion = { operation: "DELETE", oldObject: configMap({ finalizers: ["x"] }) };
    expect(said(unchanged, test(deny("changed"), deletion))).toMatch(/^passed/);
    const exec = celPolicy("p", {
      matchConstraints: about(["pods/exec"]),
      validations: [{ expression: "!object.stdin", message: "no input" }],
    });
    const options = { apiVersion: "v1", kind: "PodExecOptions", stdin: true };
    expect(said(exec, test(deny("no input"), { operation: "CONNECT", object: options }))).toMatch(/^passed/);
  });

  it("gives the parameters that paramRef finds, or none", () => {
    const limited = (parameterNotFoundAction: "Allow" | "Deny") =>
      celPolicy("p", {
        paramKind: { apiVersion: "v1", kind: "ConfigMap" },
        paramRef: { name: "limits", namespace: "shieldx", parameterNotFoundAction },
        validations: [{ expression: "object.metadata.name == params.data.name", message: "other name" }],
      });
    const named = (name: string) => ({ object: configMap({ name: "a" }), params: { data: { name } } });
    expect(said(limited("Deny"), test(allow, named("a")))).toMatch(/^passed/);
    expect(said(limited("Deny"), test(deny("other name"), named("b")))).toMatch(/^passed/);
    expect(run(limited("Allow"), test(allow))).toMatchObject({ result: "passed" });
    expect(said(limited("Deny"), test(deny()))).toMatch(/^error: .*no params found/);
  });

  it("is for engine podSecurity as well, in its words", () => {
    const baseline = podSecurityPolicy("p");
    expect(said(baseline, test(deny("privileged"), { object: offender() }))).toMatch(/^passed/);
    expect(said(baseline, test(allow, { object: podObject("a") }))).toMatch(/^passed/);
  });

  it("needs an object that says what it is", () => {
    expect(said(policy, test(allow, { object: { kind: "Pod" } }))).toMatch(/^error: .*lacks apiVersion/);
  });

  it("may take its time on a slow processor, unless it is to be given up as in a cluster", () => {
    let now = 0;
    const clock = { monotonicNow: () => (now += 9), budgetMs: 1_000_000 };
    const names = Array.from({ length: 99 }, (_, at) => `'${at}'`).join();
    const expression = `[${names}].all(a, [${names}].all(b, a + b != ''))`;
    const slow = celPolicy("p", { validations: [{ expression }] });
    expect(run(slow, test(allow), clock)).toMatchObject({ result: "passed" });
    const asInCluster = run(slow, test(allow), { ...clock, cpuNow: () => now });
    expect(asInCluster).toMatchObject({ result: "late", message: expect.stringContaining("32 ms of CPU") });
  });

  it("meets no expectation once the time for all is over", () => {
    let now = 0;
    const clock = { monotonicNow: () => now++, budgetMs: 3 };
    const compiled = compilePolicy(policy, { ...environment, evaluatesNative: true });
    const outcomes = runPolicyTests(compiled, [test(deny()), test(deny()), test(deny())], clock);
    expect(outcomes.at(-1)).toMatchObject({
      result: "late",
      message: expect.stringMatching(/all cases together took more than 3 ms of CPU time/),
    });
  });
});

describe("the time for all cases", () => {
  const policy = celPolicy("p");
  const compiled = compilePolicy(policy, { ...environment, evaluatesNative: true });
  const cases = [test(allow, { object: owned }), test(deny("label it"), { name: "other" })];

  it("is CPU time: a machine that has other things to do refuses no sound policy", () => {
    let wall = 0;
    const spied = vi.spyOn(performance, "now").mockImplementation(() => (wall += 10_000));
    try {
      expect(() =>
        requirePassingTests(compilePolicy(celPolicy("p", { tests: cases }), environment), environment),
      ).not.toThrow();
    } finally {
      spied.mockRestore();
    }
  });

  it("is not used up by what others do in their turns", () => {
    const turns = policyTestRun(compiled, cases, { budgetMs: 200 });
    expect(turns.next().done).toBe(false);
    const until = threadCpuNow() + 250;
    while (threadCpuNow() < until);
    const { value } = turns.next();
    expect(value?.map(({ result }) => result)).toEqual(["passed", "passed"]);
  });

  it("ends for a policy that really uses it", () => {
    const names = Array.from({ length: 99 }, (_, at) => `'${at}'`).join();
    const expression = `[${names}].all(a, [${names}].all(b, [${names}].all(c, a + b + c != '')))`;
    const slow = celPolicy("p", { validations: [{ expression }] });
    const outcome = run(slow, test(allow), { budgetMs: 20 });
    expect(outcome).toMatchObject({ result: "late", message: expect.stringContaining("20 ms of CPU time") });
  });
});

describe("a case of a policy with mutations", () => {
  const mutating = (expression: string, spec: object = {}) =>
    celPolicy("p", { mutations: [{ patchType: "JSONPatch", jsonPatch: { expression } }], ...spec });
  const adopts = "[JSONPatch{op: 'add', path: '/metadata/labels', value: {'owner': 'x'}}]";

  it("is judged as the mutations make its object", () => {
    expect(run(celPolicy("p"), test(deny()))).toMatchObject({ result: "passed" });
    expect(run(mutating(adopts), test(allow))).toMatchObject({ result: "passed", isMatched: true });
    expect(said(mutating(adopts), test(deny()))).toContain("but it was allowed: nothing is wrong with it");
    expect(run(mutating(adopts, { validations: [] }), test(allow))).toMatchObject({
      result: "passed",
      isMatched: true,
    });
  });

  it("comes to no verdict where the mutations come to nothing", () => {
    const grows =
      "[JSONPatch{op: 'add', path: '/metadata/name', value: object.metadata.?name.orValue('') + 'x'}]";
    expect(run(mutating(grows), test(deny()))).toMatchObject({ result: "error" });
    const finalizers = "Object{metadata: Object.metadata{finalizers: ['example.org/hold']}}";
    const merging = celPolicy("p", {
      mutations: [{ patchType: "ApplyConfiguration", applyConfiguration: { expression: finalizers } }],
    });
    expect(said(merging, test(allow))).toMatch(/^error: .*only a cluster knows how lists .*use JSONPatch/);
  });
});

describe("a policy with tests", () => {
  const withTests = (tests: PolicyTest[], spec: Partial<ShieldPolicy["spec"]> = {}) =>
    celPolicy("p", { tests, ...spec });
  const passing = test(deny(), { name: "unowned" });
  const failing = test(allow, { name: "wrong" });
  const input = { exceptions: [], ...environment };

  it("names the first case that fails", () => {
    expect(() =>
      requirePassingTests(compilePolicy(withTests([passing]), environment), environment),
    ).not.toThrow();
    const policy = withTests([passing, failing, { ...failing, name: "also" }]);
    const { problems, policies } = buildPolicySet({ ...input, policies: [policy] });
    expect(policies).toEqual([]);
    expect(problems).toMatchObject([{ error: { code: "TestsFailed", path: "spec.tests[1]" } }]);
    expect(problems[0]?.error.message).toMatch(
      /^spec\.tests\[1\]: case "wrong": expected .*\(2 of 3 cases fail\)$/,
    );
  });

  it("stays in force as it was while its tests fail, and runs them once", () => {
    const good = withTests([passing]);
    const before = buildPolicySet({ ...input, policies: [good] });
    const changed = withTests([passing], { validations: [{ expression: "true" }] });
    const bad = { ...changed, metadata: { ...changed.metadata, generation: 2 } };
    const after = buildPolicySet({ ...input, policies: [bad], previous: before });
    expect(after.policy("p")?.source).toBe(good);
    expect(after.problems).toMatchObject([{ keepsLastGood: true, error: { code: "TestsFailed" } }]);
    const again = buildPolicySet({ ...input, policies: [bad], previous: after });
    expect(again.problems[0]?.error).toBe(after.problems[0]?.error);
    const corrected = { ...good, metadata: { ...good.metadata, generation: 3 } };
    const healed = buildPolicySet({ ...input, policies: [corrected], previous: again });
    expect(healed.problems).toEqual([]);
    expect(healed.policy("p")?.generation).toBe(3);
  });

  it("is refused where only the API server may understand it", () => {
    const policy = withTests([passing], { validations: [{ expression: "only the server" }] });
    expect(() => requirePassingTests(compilePolicy(policy, environment), environment)).toThrow(
      PolicyCompileError,
    );
    const [problem] = buildPolicySet({ ...input, policies: [policy] }).problems;
    expect(problem?.error).toMatchObject({ code: "TestsFailed", path: "spec.tests" });
    expect(problem?.error.message).toMatch(/ShieldX does not understand spec\.validations\[0\]\.expression/);
  });

  it("says that its tests take too long, which is no verdict on it", () => {
    const options = { budgetMs: 0 };
    expect(() =>
      requirePassingTests(compilePolicy(withTests([passing]), environment), environment, options),
    ).toThrow(expect.objectContaining({ code: "TestsTooSlow" }));
  });
});
