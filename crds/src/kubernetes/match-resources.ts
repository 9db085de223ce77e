import * as z from "zod";
import { atomicList, text } from "../structural/fields.ts";
import { labelSelector } from "./label-selector.ts";
import { subdomain } from "./names.ts";

const resourceRule = z
  .object({
    apiGroups: atomicList(
      text({ max: 253 }).describe('One API group; "" is the core group, "*" means all.'),
      {
        min: 1,
        max: 32,
      },
    ).describe('API groups the rule covers; "" is the core group.'),
    apiVersions: atomicList(text({ min: 1, max: 63 }).describe('One API version, or "*".'), {
      min: 1,
      max: 32,
    }).describe("API versions the rule covers."),
    operations: atomicList(
      z.enum(["CREATE", "UPDATE", "DELETE", "CONNECT", "*"]).describe("One operation."),
      { min: 1, max: 5 },
    ).describe("Operations the rule covers: CREATE, UPDATE, DELETE, CONNECT or * for all."),
    resources: atomicList(
      text({ min: 1, max: 127 }).describe("One resource: plural, plural/subresource, */subresource or *."),
      { min: 1, max: 64 },
    ).describe("Resources the rule covers, e.g. pods, pods/ephemeralcontainers, deployments."),
    // No default by the schema: one inside an atomic list looks like drift to Argo CD for ever (docs/adr).
    scope: z
      .enum(["Cluster", "Namespaced", "*"])
      .describe("Which scope the resources must have: Cluster, Namespaced or * for both; left out, both.")
      .exactOptional(),
    resourceNames: atomicList(subdomain().describe("Name of one object."), { max: 64 })
      .describe("Names of objects the rule is limited to; empty means any.")
      .exactOptional(),
  })
  .describe("One rule: groups, versions, resources and operations.");

/** One entry of `resourceRules`, shaped as in ValidatingAdmissionPolicy. */
export type ResourceRule = z.output<typeof resourceRule>;

/** `matchConstraints` with the names and shapes of ValidatingAdmissionPolicy (`admissionregistration.k8s.io/v1`). */
export const matchConstraints = z.object({
  resourceRules: atomicList(resourceRule, { max: 32 })
    .describe(
      "Requests the policy is about. Required for engine cel and rego. Engine podSecurity, when this is left out, " +
        "covers pods, pods/ephemeralcontainers and the built-in workload kinds, which are judged by their Pod template.",
    )
    .exactOptional(),
  excludeResourceRules: atomicList(resourceRule, { max: 32 })
    .describe("Requests the policy is not about although resourceRules covers them.")
    .exactOptional(),
  namespaceSelector: labelSelector()
    .describe(
      "Labels of the namespace the object is in (or of the Namespace itself); left out, any namespace.",
    )
    .exactOptional(),
  objectSelector: labelSelector()
    .describe(
      "Labels of the object, old or new. Who may label objects can step around it: prefer namespaceSelector for anything that must hold.",
    )
    .exactOptional(),
  matchPolicy: z
    .enum(["Exact", "Equivalent"])
    .default("Equivalent")
    .describe(
      "Equivalent also covers the same resource asked for through another group or version; Exact does not.",
    ),
});

/** Which requests a policy is about. */
export type MatchConstraints = z.output<typeof matchConstraints>;
