import type { Manifest } from "../../../e2e/shieldx/objects.ts";
import { celVariables, type PolicyRule, podRules } from "../rules/rules.ts";
import { ownerLabel } from "./admission-policies.ts";
import { regoModule } from "./rego-module.ts";

export type ShieldLanguage = "cel" | "rego" | "native";

/** Each rule as a ShieldPolicy, for Pods of namespaces labelled `bench=OF`; `native` is CEL that the API server evaluates. */
export function shieldPolicies(
  of: string,
  language: ShieldLanguage,
  rules: readonly PolicyRule[],
): Manifest[] {
  return rules.map((rule) => ({
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldPolicy",
    metadata: { name: `${of}-${rule.name}`, labels: { [ownerLabel]: of } },
    spec: {
      ...(language === "rego" ? regoPart(rule) : celPart(rule, language === "cel" ? "Webhook" : "Native")),
      matchConstraints: {
        namespaceSelector: { matchLabels: { bench: of } },
        resourceRules: podRules,
      },
      actions: { admission: "deny" },
    },
  }));
}

function celPart({ cel, message }: PolicyRule, evaluation: "Webhook" | "Native"): Manifest {
  return {
    engine: "cel",
    evaluation,
    variables: celVariables,
    validations: [{ expression: cel, message, reason: "Forbidden" }],
  };
}

/** As Gatekeeper's templates have it, but for the parameters, which are part of the module. */
function regoPart({ name, base, parameters, message }: PolicyRule): Manifest {
  const packageName = name.replaceAll("-", "_");
  const module = regoModule(packageName, base, {
    resource: "input.review.object",
    params: JSON.stringify(parameters),
    message: JSON.stringify(message),
  });
  return { engine: "rego", rego: { version: "v0", module, entrypoint: `data.${packageName}.violation` } };
}
