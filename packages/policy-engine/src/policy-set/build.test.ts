import type { ShieldPolicy } from "@shieldx/crds";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  admissionRequest,
  celPolicy,
  newYear,
  offender,
  podSecurityPolicy,
  shieldException,
} from "../../testing/objects.ts";
import { buildPolicySet } from "./build.ts";
import { compilePolicy } from "./compile.ts";
import { policySetDigest } from "./digest.ts";
import { PolicyCompileError } from "./errors.ts";

const environment = { serverMinor: 37 };
const none = { exceptions: [], ...environment };

describe("compilePolicy", () => {
  it.each<[string, string, Partial<ShieldPolicy["spec"]>]>([
    ["Invalid", "spec.engine", { engine: "js" as "cel" }],
    ["Required", "spec.podSecurity", { podSecurity: undefined as never }],
    [
      "Invalid",
      "spec.podSecurity.level",
      { podSecurity: { level: "strict" as "baseline", version: "latest" } },
    ],
    [
      "Invalid",
      "spec.podSecurity.version",
      { podSecurity: { level: "baseline", version: "v2" as "latest" } },
    ],
    ["NotYetSupported", "spec.evaluation", { evaluation: "Native" }],
    [
      "Invalid",
      "spec.exceptions.maxDuration",
      { exceptions: { namespaces: { names: ["a"] }, maxDuration: "long" } },
    ],
    [
      "Invalid",
      "spec.matchConstraints.namespaceSelector.matchExpressions[0].operator",
      {
        matchConstraints: {
          matchPolicy: "Equivalent",
          namespaceSelector: { matchExpressions: [{ key: "a", operator: "Is" as "In" }] },
        },
      },
    ],
    [
      "Invalid",
      "spec.matchConstraints.objectSelector.matchExpressions[0].values",
      {
        matchConstraints: {
          matchPolicy: "Equivalent",
          objectSelector: { matchExpressions: [{ key: "a", operator: "In" }] },
        },
      },
    ],
  ])("refuses with %s at %s", (code, path, spec) => {
    const compile = () => compilePolicy(podSecurityPolicy("p", spec), environment);
    expect(compile).toThrow(PolicyCompileError);
    expect(compile).toThrow(expect.objectContaining({ code, path }) as Error);
  });

  it.each<[string, string, Partial<ShieldPolicy["spec"]>]>([
    ["Required", "spec.matchConstraints.resourceRules", { matchConstraints: { matchPolicy: "Equivalent" } }],
    ["Required", "spec.validations", { validations: [] }],
  ])("refuses a cel policy with %s at %s", (code, path, spec) => {
    const compile = () => compilePolicy(celPolicy("c", spec), environment);
    expect(compile).toThrow(expect.objectContaining({ code, path }) as Error);
  });
});

describe("buildPolicySet", () => {
  it.each<[string, object]>([
    ["CEL fields under podSecurity", { validations: [{ expression: "true" }] }],
    [
      "a label no object can have",
      { matchConstraints: { objectSelector: { matchLabels: { "no key": "x" } } } },
    ],
  ])("takes no policy that its kind's rules refuse: %s", (_what, spec) => {
    const set = buildPolicySet({ ...none, policies: [podSecurityPolicy("p", spec)] });
    expect(set.policies).toEqual([]);
    expect(set.problems).toMatchObject([{ name: "p", error: { code: "Invalid" } }]);
  });

  const good = podSecurityPolicy("p");
  const broken: ShieldPolicy = {
    ...podSecurityPolicy("p", { engine: "nonsense" as "cel" }),
    metadata: { ...good.metadata, generation: 2 },
  };
  const refuses = (set: ReturnType<typeof buildPolicySet>) =>
    !set.evaluate(admissionRequest(offender()), { namespaceLabels: {}, now: newYear }).allowed;

  it("keeps the last good version of a policy that broke, and says so", () => {
    const before = buildPolicySet({ policies: [good], ...none });
    const after = buildPolicySet({ policies: [broken], previous: before, ...none });
    expect(refuses(after)).toBe(true);
    expect(after.problems).toMatchObject([
      { kind: "ShieldPolicy", name: "p", generation: 2, keepsLastGood: true, error: { path: "spec.engine" } },
    ]);
    const { name, uid, generation } = before.policy("p") ?? {};
    expect(after.kept).toMatchObject([{ name, uid, generation, calls: { failurePolicy: "Fail" } }]);
    expect(after.digest).toBe(buildPolicySet({ policies: [], ...none }).digest);
    expect(refuses(buildPolicySet({ policies: [broken], previous: after, ...none }))).toBe(true);
  });

  it("compiles again only what changed, or all for another version of the server", () => {
    const before = buildPolicySet({ policies: [good, podSecurityPolicy("q")], ...none });
    const { metadata } = good;
    const changed = { ...good, metadata: { ...metadata, generation: (metadata.generation ?? 0) + 1 } };
    const after = buildPolicySet({ policies: [changed, podSecurityPolicy("q")], previous: before, ...none });
    expect(after.policy("q")).toBe(before.policy("q"));
    expect(after.policy("p")?.generation).toBe(changed.metadata.generation);
    const newer = buildPolicySet({ policies: [good], previous: before, ...none, serverMinor: 20 });
    expect(newer.policy("p")).not.toBe(before.policy("p"));
  });

  it("does not keep the version of another object of that name", () => {
    const before = buildPolicySet({ policies: [good], ...none });
    const recreated = { ...broken, metadata: { ...broken.metadata, uid: "another" } };
    const after = buildPolicySet({ policies: [recreated], previous: before, ...none });
    expect(refuses(after)).toBe(false);
    expect(after.problems).toMatchObject([{ keepsLastGood: false }]);
  });

  it("forgets a policy that is gone", () => {
    const before = buildPolicySet({ policies: [good], ...none });
    expect(refuses(buildPolicySet({ policies: [], previous: before, ...none }))).toBe(false);
  });

  it("lists an exception that cannot be read and goes on without it", () => {
    const match = { objectSelector: { matchExpressions: [{ key: "a", operator: "Is" as "In" }] } };
    const set = buildPolicySet({
      policies: [good],
      exceptions: [shieldException("e", { match })],
      ...environment,
    });
    expect(set.problems).toMatchObject([{ kind: "ShieldException", name: "team-a/e" }]);
    expect(refuses(set)).toBe(true);
  });

  it("survives objects no schema has seen", () => {
    const nonsense = [
      { metadata: { name: "x" } },
      { metadata: { name: "y" }, spec: { engine: "podSecurity", actions: null } },
    ];
    const set = buildPolicySet({ policies: [good, ...nonsense] as ShieldPolicy[], ...none });
    expect(set.problems.map(({ name }) => name)).toEqual(["x", "y"]);
    expect(refuses(set)).toBe(true);
  });
});

describe("the digest of a set", () => {
  const member = fc.record({ name: fc.string(), uid: fc.string(), generation: fc.nat() });

  it("does not depend on order and tells any two states apart", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(member, { selector: (m) => m.name }),
        fc.uniqueArray(member, { selector: (m) => m.name }),
        (a, b) => {
          expect(policySetDigest([...a].reverse())).toBe(policySetDigest(a));
          const text = (members: typeof a) => JSON.stringify(members.map((m) => JSON.stringify(m)).sort());
          expect(policySetDigest(a) === policySetDigest(b)).toBe(text(a) === text(b));
        },
      ),
    );
  });

  it("changes with a policy's or an exception's generation", () => {
    const digest = (generation: number, exceptionGeneration: number) =>
      buildPolicySet({
        policies: [{ ...podSecurityPolicy("p"), metadata: { name: "p", uid: "u", generation } }],
        exceptions: [shieldException("e", {}, { generation: exceptionGeneration })],
        ...environment,
      }).digest;
    expect(new Set([digest(1, 1), digest(2, 1), digest(1, 2)]).size).toBe(3);
    expect(digest(1, 1)).toBe(digest(1, 1));
  });
});
