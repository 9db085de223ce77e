/** ShieldPolicy: the only source of its type, its CustomResourceDefinition and its reference page. */
import * as z from "zod";
import { defineKind } from "../definition/kind.ts";
import { objectMeta } from "../kubernetes/object-meta.ts";
import { AS_LABEL_VALUE, shortName } from "../kubernetes/short-name.ts";
import { engineColumn, reasonAndAge, standingColumns } from "./columns.ts";
import { specRules } from "./rules.ts";
import { specFields } from "./spec.ts";
import { shieldPolicyStatus } from "./status.ts";

const spec = specFields.check(...specRules).describe("What the policy demands and what it does.");

/** Schema of a whole ShieldPolicy. */
export const shieldPolicySchema = z
  .object({
    apiVersion: z.literal("shieldx.io/v1alpha1"),
    kind: z.literal("ShieldPolicy"),
    metadata: objectMeta(),
    spec,
    status: shieldPolicyStatus
      .describe("What became of the policy; written by the operator, never by people.")
      .exactOptional(),
  })
  .check(shortName("ShieldPolicy", AS_LABEL_VALUE))
  .describe(
    "ShieldPolicy is a rule that requests to the API server, and objects that already exist, are held against.",
  );

/** A ShieldPolicy with its defaults applied. */
export type ShieldPolicy = z.output<typeof shieldPolicySchema>;
/** `spec` of a ShieldPolicy with its defaults applied. */
export type ShieldPolicySpec = ShieldPolicy["spec"];
/** `status` of a ShieldPolicy. */
export type ShieldPolicyStatus = z.output<typeof shieldPolicyStatus>;

/** Names, columns and schema of the kind. */
export const shieldPolicyKind = defineKind({
  group: "shieldx.io",
  version: "v1alpha1",
  kind: "ShieldPolicy",
  plural: "shieldpolicies",
  singular: "shieldpolicy",
  shortNames: ["spol"],
  categories: ["shieldx"],
  scope: "Cluster",
  schema: shieldPolicySchema,
  printerColumns: [
    engineColumn,
    {
      name: "Level",
      type: "string",
      jsonPath: ".spec.podSecurity.level",
      description: "Pod Security level.",
    },
    ...standingColumns,
    {
      name: "Rollout",
      type: "string",
      jsonPath: ".status.rollout.step",
      description: "How far the version that is written has come, with spec.rollout.",
    },
    {
      name: "Version",
      type: "string",
      jsonPath: ".spec.podSecurity.version",
      description: "Version of the Pod Security Standards.",
      priority: 1,
    },
    ...reasonAndAge,
  ],
});
