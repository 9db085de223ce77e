/** ShieldBreakGlass: the only source of its type, its CustomResourceDefinition and its reference page. */
import * as z from "zod";
import { defineKind } from "../definition/kind.ts";
import { MAX_APPROVER_LENGTH } from "../exception-reports.ts";
import { conditions } from "../kubernetes/condition.ts";
import { subdomain } from "../kubernetes/names.ts";
import { objectMeta } from "../kubernetes/object-meta.ts";
import { shortName } from "../kubernetes/short-name.ts";
import { count, mapList, setOf, text, timestamp } from "../structural/fields.ts";
import { rule } from "../structural/server-check.ts";

/** Most policies that one names. */
export const MAX_BROKEN_POLICIES = 32;

const specFields = z.object({
  policies: setOf(subdomain({ max: 63 }).describe("Name of one ShieldPolicy."), {
    min: 1,
    max: MAX_BROKEN_POLICIES,
  })
    .describe("ShieldPolicies that refuse nothing until expiresAt.")
    .exactOptional(),
  allPolicies: z
    .literal(true)
    .describe("Instead of policies: every ShieldPolicy there is, and those that come meanwhile.")
    .exactOptional(),
  reason: text({
    min: 10,
    max: 1024,
    pattern: /[^ \t\n\r]/,
    hint: "a sentence, not only blanks",
  }).describe("Why it is needed, in a sentence a reviewer understands; name the incident."),
  expiresAt: timestamp().describe(
    "When it ends by itself, at most 4 hours after its creation. Sooner: delete the object.",
  ),
});

type Fields = z.output<typeof specFields>;

const spec = specFields
  .check(
    rule<Fields>({
      rule: "has(self.policies) != has(self.allPolicies)",
      message: "name policies, or say allPolicies: true, and not both",
      holds: ({ policies, allPolicies }) => (policies === undefined) !== (allPolicies === undefined),
    }),
    rule<Fields>({
      rule: "self == oldSelf",
      message:
        "spec does not change once written: delete this one to end it, and create another for what is different",
      // There is nothing before, offline.
      holds: () => true,
    }),
  )
  .describe("Which policies refuse nothing, why, and until when.");

const policyState = z
  .object({
    name: text({ max: 63 }).describe("Name of the ShieldPolicy."),
    suspended: z.boolean().describe("Whether nothing is refused by the policy now."),
    message: text({ max: 1024 }).describe("Why it still refuses, and what to do.").exactOptional(),
  })
  .describe("What has become of one policy.");

const status = z.object({
  observedGeneration: count().describe("The metadata.generation this status is about.").exactOptional(),
  conditions: conditions(
    "What is true of it now. Ready: none of its policies refuses anything. Expired: it has ended.",
  ).exactOptional(),
  policies: mapList(policyState, { max: MAX_BROKEN_POLICIES, keys: ["name"] })
    .describe("What has become of its policies: with allPolicies, the first of those that still refuse.")
    .exactOptional(),
  openedBy: z
    .object({
      user: text({ min: 1, max: MAX_APPROVER_LENGTH }).describe(
        "Name of the user, as the API server authenticated it.",
      ),
    })
    .describe(
      "Whose request made it, as ShieldX's webhook was told at admission. Absent where the webhook was away then, and `unconfirmed: a " +
        "or b` where several are told to have asked for the same: the API server's audit log has it.",
    )
    .exactOptional(),
  written: count()
    .describe(
      "How many requests passed that a policy would have refused; what they wrote is in status.gaps of the policy.",
    )
    .exactOptional(),
});

/** Schema of a whole ShieldBreakGlass. */
export const shieldBreakGlassSchema = z
  .object({
    apiVersion: z.literal("shieldx.io/v1alpha1"),
    kind: z.literal("ShieldBreakGlass"),
    metadata: objectMeta(),
    spec,
    status: status.describe("What became of it; written by the operator, never by people.").exactOptional(),
  })
  .check(shortName("ShieldBreakGlass"))
  .describe(
    "ShieldBreakGlass suspends the enforcement of policies for at most four hours: what they would refuse passes with a warning, and " +
      "is recorded with who and when. It is for emergencies, and for administrators.",
  );

/** A ShieldBreakGlass. */
export type ShieldBreakGlass = z.output<typeof shieldBreakGlassSchema>;
/** `spec` of a ShieldBreakGlass. */
export type ShieldBreakGlassSpec = ShieldBreakGlass["spec"];
/** `status` of a ShieldBreakGlass. */
export type ShieldBreakGlassStatus = z.output<typeof status>;

/** Names, columns and schema of the kind. */
export const shieldBreakGlassKind = defineKind({
  group: "shieldx.io",
  version: "v1alpha1",
  kind: "ShieldBreakGlass",
  plural: "shieldbreakglasses",
  singular: "shieldbreakglass",
  shortNames: ["sbg"],
  categories: ["shieldx"],
  scope: "Cluster",
  schema: shieldBreakGlassSchema,
  printerColumns: [
    {
      name: "Policies",
      type: "string",
      jsonPath: ".spec.policies[*]",
      description: "Policies that refuse nothing.",
    },
    {
      name: "All",
      type: "boolean",
      jsonPath: ".spec.allPolicies",
      description: "Whether it is about every policy.",
    },
    {
      name: "Open",
      type: "string",
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      description: "Whether none of its policies refuses anything now.",
    },
    {
      name: "State",
      type: "string",
      jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
      description: "How far that has come.",
    },
    { name: "Expires", type: "string", jsonPath: ".spec.expiresAt", description: "When it ends." },
    {
      name: "Opened By",
      type: "string",
      jsonPath: ".status.openedBy.user",
      description: "Whose request made it.",
    },
    {
      name: "Written",
      type: "integer",
      jsonPath: ".status.written",
      description: "Requests that a policy would have refused.",
    },
    {
      name: "Reason",
      type: "string",
      jsonPath: ".spec.reason",
      description: "Why it is needed.",
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
