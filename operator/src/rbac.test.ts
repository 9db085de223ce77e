import { type ControllerDefinition, missingRights, type ResourceType } from "@shieldx/controller-runtime";
import fc from "fast-check";
import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import type { OperatorContext } from "./context.ts";
import { certificatesController } from "./controllers/certificates/controller.ts";
import { cleanupController } from "./controllers/cleanup/controller.ts";
import { generationController } from "./controllers/generation/controller.ts";
import { nativeController } from "./controllers/native/controller.ts";
import { shieldExceptionController } from "./controllers/shieldexception/controller.ts";
import { shieldPolicyController } from "./controllers/shieldpolicy/controller.ts";
import { webhookConfigurationController } from "./controllers/webhook-configuration/controller.ts";
import { mutationsController } from "./controllers/webhook-configuration/mutations-controller.ts";
import { createMetrics } from "./metrics.ts";
import { controllerRbac, mergeRules, operatorRbac, type RbacNeeds, type RbacRule } from "./rbac.ts";

describe("each controller", () => {
  const operator = {
    namespace: "shieldx-system",
    ownNamespaces: ["shieldx-system"],
    servesMutatingPolicies: true,
    webhookAddress: { kind: "service", namespace: "shieldx-system" },
    metrics: createMetrics(new Registry()),
  } as unknown as OperatorContext;
  const definitions = [
    shieldPolicyController(operator),
    webhookConfigurationController(operator),
    mutationsController(operator),
    certificatesController(operator),
    nativeController(operator),
    shieldExceptionController(operator),
    generationController(operator, { caches: { onTouched: () => {} } as never, generators: () => [] }),
    cleanupController(operator),
  ] as unknown as ControllerDefinition[];

  const name = ({ group, plural }: Pick<ResourceType, "group" | "plural">): string => `${plural}.${group}`;
  const typeOf = (watched: object): ResourceType =>
    ("type" in watched ? watched.type : watched) as ResourceType;
  const watched = ({ for: own, owns = [], watches = [] }: ControllerDefinition): string[] =>
    [own, ...owns, ...watches].map((item) => name(typeOf(item)));
  const declared = ({ cluster, namespace }: RbacNeeds): string[] =>
    [...cluster, ...namespace]
      .filter(({ verbs }) => verbs.includes("watch"))
      .flatMap(({ apiGroups: [group = ""], resources }) =>
        resources.map((plural) => name({ group, plural })),
      );
  const unique = (names: string[]): string[] => [...new Set(names)].sort();

  it.each(definitions.map((definition) => [definition.name, definition] as const))(
    "declares to watch what it watches, no more and no less: %s",
    (controller, definition) => {
      const needs = (controllerRbac as Record<string, RbacNeeds>)[controller];
      expect(needs, `controllerRbac has no ${controller}`).toBeDefined();
      expect(unique(declared(needs as RbacNeeds))).toEqual(unique(watched(definition)));
    },
  );
});

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
    expect(changing.map(({ resourceNames }) => resourceNames)).toEqual([
      ["shieldx-policies-fail", "shieldx-policies-ignore"],
    ]);
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
