import type { Manifest } from "../../../e2e/shieldx/objects.ts";
import { celVariables, restrictedRules } from "./restricted.ts";

/** The sixteen rules as one ValidatingAdmissionPolicy with its binding, for namespaces labelled `bench=LABEL`. */
export function validatingPolicy(name: string, label: string): Manifest[] {
  return [
    {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingAdmissionPolicy",
      metadata: { name },
      spec: {
        failurePolicy: "Fail",
        matchConstraints: {
          namespaceSelector: { matchLabels: { bench: label } },
          resourceRules: [
            { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["pods"] },
          ],
        },
        variables: celVariables,
        validations: restrictedRules.map(({ cel, message }) => ({
          expression: cel,
          message,
          reason: "Forbidden",
        })),
      },
    },
    {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingAdmissionPolicyBinding",
      metadata: { name },
      spec: { policyName: name, validationActions: ["Deny"] },
    },
  ];
}
