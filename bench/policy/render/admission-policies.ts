import type { Manifest } from "../../../e2e/shieldx/objects.ts";
import { celVariables, type PolicyRule, podRules } from "../rules/rules.ts";

export interface AdmissionPolicies {
  readonly policies: readonly Manifest[];
  readonly bindings: readonly Manifest[];
}

/** Marks what belongs to one contestant, so that it can be removed. */
export const ownerLabel = "bench.shieldx.io/of";

/** All rules as one ValidatingAdmissionPolicy, for Pods of namespaces labelled `bench=OF`. */
export function oneAdmissionPolicy(of: string, rules: readonly PolicyRule[]): AdmissionPolicies {
  return { policies: [policy(of, of, rules)], bindings: [binding(of, of)] };
}

/** Each rule as a ValidatingAdmissionPolicy of its own. */
export function admissionPolicies(of: string, rules: readonly PolicyRule[]): AdmissionPolicies {
  const named = rules.map((rule) => ({ rule, name: `${of}-${rule.name}` }));
  return {
    policies: named.map(({ rule, name }) => policy(of, name, [rule])),
    bindings: named.map(({ name }) => binding(of, name)),
  };
}

const apiVersion = "admissionregistration.k8s.io/v1";

function policy(of: string, name: string, rules: readonly PolicyRule[]): Manifest {
  return {
    apiVersion,
    kind: "ValidatingAdmissionPolicy",
    metadata: { name, labels: { [ownerLabel]: of } },
    spec: {
      failurePolicy: "Fail",
      matchConstraints: {
        namespaceSelector: { matchLabels: { bench: of } },
        resourceRules: podRules,
      },
      variables: celVariables,
      validations: rules.map(({ cel, message }) => ({ expression: cel, message, reason: "Forbidden" })),
    },
  };
}

function binding(of: string, name: string): Manifest {
  return {
    apiVersion,
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name, labels: { [ownerLabel]: of } },
    spec: { policyName: name, validationActions: ["Deny"] },
  };
}
