import { missingRights } from "@shieldx/controller-runtime";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { controllerRbac, mergeRules, operatorRbac, type RbacRule } from "./rbac.ts";

describe("operatorRbac", () => {
  it("covers what every controller declares", () => {
    for (const needs of Object.values(controllerRbac)) {
      expect(missingRights(needs.cluster, operatorRbac.cluster)).toEqual([]);
      expect(missingRights(needs.namespace, [...operatorRbac.cluster, ...operatorRbac.namespace])).toEqual(
        [],
      );
    }
  });

  it("has no wildcard, reads no Secret outside its namespace, and changes only named webhook configurations", () => {
    expect(JSON.stringify(operatorRbac)).not.toContain('"*"');
    expect(JSON.stringify(operatorRbac.cluster)).not.toContain('"secrets"');
    const changing = operatorRbac.cluster.filter(
      ({ resources, verbs }) =>
        resources.includes("validatingwebhookconfigurations") && verbs.includes("delete"),
    );
    expect(changing.every(({ resourceNames }) => resourceNames?.length === 3)).toBe(true);
    const secrets = operatorRbac.namespace.filter(({ resources }) => resources.includes("secrets"));
    for (const { verbs, resourceNames } of secrets) {
      expect(verbs.join() === "create" || resourceNames !== undefined).toBe(true);
    }
  });
});

const anyRule = fc.record({
  apiGroups: fc.subarray(["", "apps"], { minLength: 1 }),
  resources: fc.subarray(["pods", "secrets"], { minLength: 1 }),
  verbs: fc.subarray(["get", "list", "patch"], { minLength: 1 }),
});

describe("mergeRules", () => {
  it("grants exactly what its parts grant", () => {
    fc.assert(
      fc.property(fc.array(anyRule, { maxLength: 6 }), (rules: RbacRule[]) => {
        const merged = mergeRules(rules);
        expect(missingRights(rules, merged)).toEqual([]);
        expect(missingRights(merged, rules)).toEqual([]);
        expect(mergeRules(merged)).toEqual(merged);
      }),
    );
  });
});
