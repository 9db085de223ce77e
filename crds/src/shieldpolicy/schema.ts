/** ShieldPolicy: the only source of its type, its CustomResourceDefinition and its reference page. */
import * as z from "zod";
import { defineKind } from "../definition/kind.ts";
import { objectMeta } from "../kubernetes/object-meta.ts";
import { rule } from "../structural/server-check.ts";
import { specRules } from "./rules.ts";
import { specFields } from "./spec.ts";
import { shieldPolicyStatus } from "./status.ts";

/** Longest name of a ShieldPolicy: the name is also the value of the label `shieldx.io/policy`. */
export const MAX_POLICY_NAME_LENGTH = 63;

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
  .check(
    rule<{ metadata: { name: string } }>({
      rule: `size(self.metadata.name) <= ${MAX_POLICY_NAME_LENGTH}`,
      message: `the name of a ShieldPolicy has at most ${MAX_POLICY_NAME_LENGTH} characters, because it becomes a label value: choose a shorter one`,
      holds: ({ metadata }) => metadata.name.length <= MAX_POLICY_NAME_LENGTH,
    }),
  )
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
    { name: "Engine", type: "string", jsonPath: ".spec.engine", description: "How the policy is written." },
    {
      name: "Level",
      type: "string",
      jsonPath: ".spec.podSecurity.level",
      description: "Pod Security level.",
    },
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
