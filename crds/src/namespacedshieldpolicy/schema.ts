/** NamespacedShieldPolicy: the only source of its type, its CustomResourceDefinition and its reference page. */
import * as z from "zod";
import { defineKind } from "../definition/kind.ts";
import { objectMeta } from "../kubernetes/object-meta.ts";
import { shortName } from "../kubernetes/short-name.ts";
import { engineColumn, reasonAndAge, standingColumns } from "../shieldpolicy/columns.ts";
import { shieldPolicyStatus } from "../shieldpolicy/status.ts";
import { tenantSpec } from "./spec.ts";

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
  .check(shortName("NamespacedShieldPolicy"))
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
  printerColumns: [engineColumn, ...standingColumns, ...reasonAndAge],
});
