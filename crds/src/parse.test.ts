import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InvalidObjectError, parseShieldException, parseShieldObject, parseShieldPolicy } from "./index.ts";

const policy = (spec: object, metadata: object = { name: "p" }) => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldPolicy",
  metadata,
  spec: {
    engine: "podSecurity",
    podSecurity: { level: "baseline" },
    actions: { admission: "deny" },
    ...spec,
  },
});

function problems(value: unknown): string[] {
  try {
    parseShieldObject(value);
  } catch (error) {
    if (error instanceof InvalidObjectError)
      return error.problems.map(({ path, message }) => `${path}: ${message}`);
    throw error;
  }
  return [];
}

describe("defaults", () => {
  it("are filled in as the API server does", () => {
    const { spec } = parseShieldPolicy(
      policy({
        exceptions: { namespaces: { names: ["a"] } },
        matchConstraints: {
          resourceRules: [
            { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] },
          ],
        },
      }),
    );
    expect(spec.evaluation).toBe("Auto");
    expect(spec.podSecurity?.version).toBe("latest");
    expect(spec.exceptions?.maxDuration).toBe("720h");
    expect(spec.matchConstraints?.matchPolicy).toBe("Equivalent");
    expect(spec).not.toHaveProperty("failurePolicy");
  });

  it("also stand in for null", () => {
    expect(parseShieldPolicy(policy({ evaluation: null })).spec.evaluation).toBe("Auto");
  });

  it("leave the input as it was", () => {
    const input = Object.freeze(policy({}));
    parseShieldPolicy(input);
    expect(input.spec).not.toHaveProperty("evaluation");
  });
});

describe("problems", () => {
  it("name every field at once", () => {
    expect(problems(policy({ evaluation: "Fast", podSecurity: { level: 1 }, actions: {} }))).toEqual([
      "spec.podSecurity.level: must be one of privileged, baseline, restricted; is 1",
      "spec.actions.admission: required: one of deny, warn, audit, off",
      'spec.evaluation: must be one of Native, Webhook, Auto; is "Fast"',
    ]);
  });

  it("name every broken rule at once", () => {
    expect(problems(policy({ rollout: {}, evaluation: "Native" }))).toHaveLength(2);
  });

  it("carry the object's name", () => {
    expect(() => parseShieldPolicy(policy({ engine: "cel" }))).toThrow(
      /^ShieldPolicy "p" is invalid: spec\./,
    );
    expect(() =>
      parseShieldException({
        ...policy({}),
        kind: "ShieldException",
        metadata: { name: "e", namespace: "n" },
      }),
    ).toThrow(/^ShieldException "n\/e" is invalid/);
  });

  it("suggest the field that was meant", () => {
    expect(problems(policy({ exception: {} }))).toEqual([
      "spec.exception: unknown field; did you mean exceptions?",
    ]);
    expect(problems(policy({ zzz: 1 }))[0]).toContain("unknown field; known here: engine, podSecurity");
  });

  it("are not made of fields a newer schema may have, when asked so", () => {
    const parsed = parseShieldPolicy(policy({ brandNew: 1 }), { unknownFields: "drop" });
    expect(parsed.spec).not.toHaveProperty("brandNew");
  });

  it.each([
    null,
    undefined,
    1,
    "x",
    [],
    {},
    { kind: 1 },
    { kind: "ShieldPolicy" },
    { kind: "ShieldPolicy", spec: null },
  ])("are found in %j", (value) => {
    expect(problems(value).length).toBeGreaterThan(0);
  });

  it("stay short for hostile objects", () => {
    const names = Array.from({ length: 5000 }, (_, n) => [`field${n}`.repeat(100), n]);
    const hostile = policy(Object.fromEntries(names));
    const found = problems(hostile);
    expect(found.length).toBeLessThanOrEqual(26);
    expect(found.join("").length).toBeLessThan(20_000);
  });

  it("end at a depth no honest object has, without using up the stack", () => {
    let deep: unknown = {};
    for (let level = 0; level < 200_000; level += 1) deep = { deep };
    expect(
      problems(policy({ tests: [{ name: "a", object: deep, expect: { decision: "allow" } }] }))[0],
    ).toContain("nested deeper than 100 levels");
  });

  it("include a key that would be lost without a word", () => {
    const labels: unknown = JSON.parse('{"__proto__": "a"}');
    expect(problems(policy({ matchConstraints: { objectSelector: { matchLabels: labels } } }))[0]).toContain(
      "__proto__",
    );
  });
});

it("never throws anything but InvalidObjectError", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom("ShieldPolicy", "ShieldException"), (spec, kind) => {
      expect(
        problems({ apiVersion: "shieldx.io/v1alpha1", kind, metadata: { name: "a" }, spec }).length,
      ).toBeGreaterThan(0);
    }),
  );
});
