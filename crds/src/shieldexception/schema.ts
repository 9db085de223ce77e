/** ShieldException: the only source of its type, its CustomResourceDefinition and its reference page. */
import * as z from "zod";
import { defineKind } from "../definition/kind.ts";
import { MAX_APPROVER_LENGTH } from "../exception-reports.ts";
import { conditions } from "../kubernetes/condition.ts";
import { type LabelSelector, labelSelector } from "../kubernetes/label-selector.ts";
import { kindName, subdomain } from "../kubernetes/names.ts";
import { objectMeta } from "../kubernetes/object-meta.ts";
import { shortName } from "../kubernetes/short-name.ts";
import { POD_SECURITY_CHECKS } from "../shieldpolicy/pod-security.ts";
import { count, mapList, setOf, text, timestamp } from "../structural/fields.ts";
import { rule } from "../structural/server-check.ts";

/** Condition types of a ShieldException. */
export const SHIELD_EXCEPTION_CONDITIONS = ["Ready", "Expired", "Unused"] as const;

interface ExceptionMatch {
  readonly kinds?: readonly string[] | undefined;
  readonly names?: readonly string[] | undefined;
  readonly objectSelector?: LabelSelector | undefined;
}

/**
 * Whether nothing an object has to be or to have is named: labels it must not have leave everything else, and 36 names of
 * one character and `*` leave nothing, so that none of them narrows.
 */
export function coversEverything({ kinds = [], names = [], objectSelector = {} }: ExceptionMatch): boolean {
  const { matchLabels = {}, matchExpressions = [] } = objectSelector;
  const isAsked = matchExpressions.some(({ operator }) => operator === "In" || operator === "Exists");
  const isNamed = names.length > 0 && !names.some((name) => name.endsWith("*") && name.length <= 2);
  return kinds.length + Object.keys(matchLabels).length === 0 && !isNamed && !isAsked;
}

const match = z
  .object({
    kinds: setOf(kindName().describe("One kind."), { max: 32 })
      .describe("Kinds of the objects, e.g. Pod or Deployment; left out, any kind.")
      .exactOptional(),
    names: setOf(
      text({
        min: 1,
        max: 254,
        pattern: /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?(-?\*)?$/,
        hint: "the name of an object, or its beginning followed by '*'",
      }).describe("One name, or the beginning of names followed by *."),
      { max: 64 },
    )
      .describe(
        "Names of the objects; a name may end in * (web-*). Left out, any name. One character and * (w*) needs kinds or labels " +
          "beside it.",
      )
      .exactOptional(),
    objectSelector: labelSelector().describe("Labels of the objects; left out, any labels.").exactOptional(),
  })
  .check(
    // Labels that objects must not have leave everything else; that is for the webhook to refuse, for stored exceptions
    // may have been taken by this rule.
    rule<ExceptionMatch>({
      rule:
        "(has(self.kinds) && size(self.kinds) > 0) || (has(self.names) && size(self.names) > 0) || (has(self.objectSelector) && " +
        "((has(self.objectSelector.matchLabels) && size(self.objectSelector.matchLabels) > 0) || " +
        "(has(self.objectSelector.matchExpressions) && size(self.objectSelector.matchExpressions) > 0)))",
      message:
        "an exception for everything in the namespace is refused: narrow spec.match by kinds, names or objectSelector",
      holds: ({ kinds, names, objectSelector }) =>
        (kinds ?? []).length > 0 ||
        (names ?? []).length > 0 ||
        Object.keys(objectSelector?.matchLabels ?? {}).length > 0 ||
        (objectSelector?.matchExpressions ?? []).length > 0,
    }),
  );

const spec = z
  .object({
    policies: setOf(subdomain({ max: 63 }).describe("Name of one ShieldPolicy."), {
      min: 1,
      max: 32,
    }).describe(
      "ShieldPolicies the exception is from. Each must list this namespace in its spec.exceptions.namespaces.",
    ),
    owner: text({
      min: 3,
      max: 253,
      pattern: /^[^ \t\n\r][^\n\r]*[^ \t\n\r]$/,
      hint: "a person or team on one line, without blanks around it",
    }).describe("Who answers for the exception: a person or a team that can be reached."),
    reason: text({
      min: 10,
      max: 1024,
      pattern: /[^ \t\n\r]/,
      hint: "a sentence, not only blanks",
    }).describe("Why it is needed, in a sentence a reviewer understands; name the ticket."),
    expiresAt: timestamp().describe(
      "When it ends, at most the policy's spec.exceptions.maxDuration after its creation. From then on the policy holds again, " +
        "also for objects that exist.",
    ),
    match: match.describe("Objects the exception is for; everything given must hold."),
    checks: setOf(z.enum(POD_SECURITY_CHECKS).describe("One check of the Pod Security Standards."), {
      min: 1,
      max: 32,
    })
      .describe(
        "For policies of engine podSecurity: only these checks are not held against the objects. Left out, all are.",
      )
      .exactOptional(),
  })
  .describe("What is exempt from which policies, why, and until when.");

const policyState = z
  .object({
    name: text({ max: 63 }).describe("Name of the ShieldPolicy."),
    honoured: z.boolean().describe("Whether the policy honours this exception now."),
    message: text({ max: 1024 }).describe("Why it does not, and what to do.").exactOptional(),
  })
  .describe("What one policy makes of this exception.");

const status = z.object({
  observedGeneration: count().describe("The metadata.generation this status is about.").exactOptional(),
  conditions: conditions(
    "What is true of the exception now. Ready: every policy it names honours it. Expired: expiresAt has passed. " +
      "Unused: nothing has needed it for a while (a week, unless the operator is told otherwise); absent once expired.",
  ).exactOptional(),
  policies: mapList(policyState, { max: 32, keys: ["name"] })
    .describe("What each of spec.policies makes of this exception.")
    .exactOptional(),
  usage: z
    .object({
      count: count()
        .describe(
          "About how often it let a request pass that a policy would have refused, warned about or noted: one that is both " +
            "changed and judged counts twice, as does one that policies of either failurePolicy judge. Requests that the API " +
            "server judges itself (enforcedBy Native) are not counted.",
        )
        .exactOptional(),
      lastUsed: timestamp()
        .describe("When it last did, or when the last of the existing objects that needed it was gone.")
        .exactOptional(),
      objects: count()
        .describe("Existing objects that need it now, as the background audit sees them.")
        .exactOptional(),
      processes: mapList(
        z
          .object({
            id: text({ min: 1, max: 64 }).describe("Which process of the webhook."),
            count: count().describe("What it has counted since it began."),
          })
          .describe("The share of one process in count."),
        { max: 64, keys: ["id"] },
      )
        .describe(
          "Shares in count of the webhook's processes that live, so that it stays right when replicas or the operator restart.",
        )
        .exactOptional(),
    })
    .describe("Whether anybody still needs it.")
    .exactOptional(),
  approvedBy: z
    .object({
      user: text({ min: 1, max: MAX_APPROVER_LENGTH }).describe(
        "Name of the user, as the API server authenticated it.",
      ),
      generation: count().describe(
        "The metadata.generation that the request made. Less than the present one: the webhook was away when spec was " +
          "changed since, and by whom is only in the API server's audit log.",
      ),
    })
    .describe(
      "Whose request made the exception or last changed its spec, as ShieldX's webhook was told at admission: of those it let " +
        "in, who asked for just what is stored. Absent where the webhook was away then; `unconfirmed: a or b` where several are " +
        "told to have asked for the same.",
    )
    .exactOptional(),
});

/** Schema of a whole ShieldException. */
export const shieldExceptionSchema = z
  .object({
    apiVersion: z.literal("shieldx.io/v1alpha1"),
    kind: z.literal("ShieldException"),
    metadata: objectMeta(),
    spec,
    status: status
      .describe("What became of the exception; written by the operator, never by people.")
      .exactOptional(),
  })
  .check(shortName("ShieldException"))
  .describe(
    "ShieldException lets named objects of its namespace break named policies until a date. It counts only where the policy " +
      "allows exceptions from this namespace.",
  );

/** A ShieldException with its defaults applied. */
export type ShieldException = z.output<typeof shieldExceptionSchema>;
/** `spec` of a ShieldException. */
export type ShieldExceptionSpec = ShieldException["spec"];
/** `status` of a ShieldException. */
export type ShieldExceptionStatus = z.output<typeof status>;

/** Names, columns and schema of the kind. */
export const shieldExceptionKind = defineKind({
  group: "shieldx.io",
  version: "v1alpha1",
  kind: "ShieldException",
  plural: "shieldexceptions",
  singular: "shieldexception",
  shortNames: ["sexc"],
  categories: ["shieldx"],
  scope: "Namespaced",
  schema: shieldExceptionSchema,
  printerColumns: [
    { name: "Policies", type: "string", jsonPath: ".spec.policies[*]", description: "Policies it is from." },
    { name: "Owner", type: "string", jsonPath: ".spec.owner", description: "Who answers for it." },
    { name: "Expires", type: "string", jsonPath: ".spec.expiresAt", description: "When it ends." },
    {
      name: "Expired",
      type: "string",
      jsonPath: '.status.conditions[?(@.type=="Expired")].status',
      description: "Whether it has ended.",
    },
    {
      name: "Used",
      type: "integer",
      jsonPath: ".status.usage.count",
      description: "How often it was needed.",
    },
    {
      name: "Unused",
      type: "string",
      jsonPath: '.status.conditions[?(@.type=="Unused")].status',
      description: "Whether nothing has needed it for a while.",
    },
    {
      name: "Ready",
      type: "string",
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      description: "Whether every policy honours it.",
    },
    {
      name: "Reason",
      type: "string",
      jsonPath: ".spec.reason",
      description: "Why it is needed.",
      priority: 1,
    },
    {
      name: "Approved By",
      type: "string",
      jsonPath: ".status.approvedBy.user",
      description: "Whose request made it or last changed it.",
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

/** Whether an entry of `spec.match.names` (a name, or a beginning followed by `*`) covers an object's name. */
export function nameMatches(pattern: string, name: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
