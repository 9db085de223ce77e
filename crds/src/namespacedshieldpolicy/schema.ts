/** NamespacedShieldPolicy: the only source of its type, its CustomResourceDefinition and its reference page. */
import * as z from "zod";
import { defineKind } from "../definition/kind.ts";
import { objectMeta } from "../kubernetes/object-meta.ts";
import { shieldPolicyStatus } from "../shieldpolicy/status.ts";
import { rule } from "../structural/server-check.ts";
import { tenantSpec } from "./spec.ts";

const MAX_NAME_LENGTH = 63;

/** Schema of a whole NamespacedShieldPolicy. */
export const namespacedShieldPolicySchema = z
  .object({
    apiVersion: z.literal("shieldx.io/v1alpha1"),
    kind: z.literal("NamespacedShieldPolicy"),
    metadata: objectMeta(),
    spec: tenantSpec,
    status: shieldPolicyStatus
      .omit({ exceptions: true, rollout: true })
      .describe("What became of the policy; written by the operator, never by people.")
      .exactOptional(),
  })
  .check(
    rule<{ metadata: { name: string } }>({
      rule: `size(self.metadata.name) <= ${MAX_NAME_LENGTH}`,
      message: `the name of a NamespacedShieldPolicy has at most ${MAX_NAME_LENGTH} characters: choose a shorter one`,
      holds: ({ metadata }) => metadata.name.length <= MAX_NAME_LENGTH,
    }),
  )
  .describe(
    "NamespacedShieldPolicy is a rule of a tenant for requests about objects of its own namespace, and for those that exist " +
      "there. It can only refuse more: what ShieldPolicies of the cluster refuse, it cannot let pass.",
  );

/** A NamespacedShieldPolicy with its defaults applied. */
export type NamespacedShieldPolicy = z.output<typeof namespacedShieldPolicySchema>;
/** `status` of a NamespacedShieldPolicy. */
export type NamespacedShieldPolicyStatus = NonNullable<NamespacedShieldPolicy["status"]>;

/** Names, columns and schema of the kind. */
export const namespacedShieldPolicyKind = defineKind({
  group: "shieldx.io",
  version: "v1alpha1",
  kind: "NamespacedShieldPolicy",
  plural: "namespacedshieldpolicies",
  singular: "namespacedshieldpolicy",
  shortNames: ["nspol"],
  categories: ["shieldx"],
  scope: "Namespaced",
  schema: namespacedShieldPolicySchema,
  printerColumns: [
    { name: "Engine", type: "string", jsonPath: ".spec.engine", description: "How the policy is written." },
    {
      name: "Action",
      type: "string",
      jsonPath: ".spec.actions.admission",
      description: "What happens to requests.",
    },
    {
      name: "Enforced By",
      type: "string",
      jsonPath: ".status.enforcedBy",
      description: "Who acts on requests.",
    },
    {
      name: "Loaded",
      type: "string",
      jsonPath: ".status.loadedBy",
      description: "Webhook replicas with this version.",
    },
    {
      name: "Violating",
      type: "integer",
      jsonPath: ".status.counts.violating",
      description: "Existing objects that break the policy.",
    },
    {
      name: "Ready",
      type: "string",
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      description: "Whether the policy is in force as written.",
    },
    {
      name: "Reason",
      type: "string",
      jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
      description: "Why the policy is ready or not.",
      priority: 1,
    },
    {
      name: "Age",
      type: "date",
      jsonPath: ".metadata.creationTimestamp",
      description: "Time since creation.",
    },
  ],
});
