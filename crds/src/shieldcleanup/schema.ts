/** ShieldCleanup: the only source of its type, its CustomResourceDefinition and its reference page. */
import * as z from "zod";
import { defineKind } from "../definition/kind.ts";
import { conditions } from "../kubernetes/condition.ts";
import { parseDurationMs } from "../kubernetes/duration.ts";
import { labelSelector } from "../kubernetes/label-selector.ts";
import { apiVersion, duration, kindName } from "../kubernetes/names.ts";
import { objectMeta } from "../kubernetes/object-meta.ts";
import { shortName } from "../kubernetes/short-name.ts";
import { standingCondition } from "../kubernetes/standing-expressions.ts";
import { celExpression, variable } from "../shieldpolicy/cel.ts";
import { atomicList, count, mapList, text, timestamp, wholeNumber } from "../structural/fields.ts";
import { rule } from "../structural/server-check.ts";
import { type CleanupTarget, MAY_BE_CLEANED_RULE, mayBeCleaned } from "./targets.ts";

/** Condition types of a ShieldCleanup. */
export const SHIELD_CLEANUP_CONDITIONS = ["Ready"] as const;

/** Entries of `status.lastRun.examples`. */
export const MAX_CLEANUP_EXAMPLES = 10;

/** `spec.every` and `spec.maxDeletionsPerRun` where they are left out. */
export const DEFAULT_CLEANUP_INTERVAL = "10m";
export const DEFAULT_MAX_DELETIONS = 10;

/** Shortest `spec.every`, in ms: each run lists all objects of the kinds. */
const SHORTEST_INTERVAL_MS = 10_000;

const target = z
  .object({
    apiVersion: apiVersion().describe("API version of the kind, e.g. batch/v1."),
    kind: kindName().describe("The kind, e.g. Job."),
  })
  .check(
    rule<CleanupTarget>({
      rule: MAY_BE_CLEANED_RULE,
      message:
        "is never cleaned up, for the cluster, its access or ShieldX hangs on it: name another kind, or delete such objects yourself",
      holds: mayBeCleaned,
    }),
  )
  .describe("One kind of objects.");

interface SpecFields {
  readonly ttl?: string;
  readonly ttlFromAnnotation?: boolean;
  readonly since?: string;
  readonly every?: string;
}

const spec = z
  .object({
    action: z
      .enum(["Report", "Delete"])
      .default("Report")
      .describe(
        "Report tells in status, Events and metrics what would be deleted, and deletes nothing. Delete deletes, from the second " +
          "run after each change of the policy on: the first only reports.",
      ),
    targets: atomicList(target, { min: 1, max: 8 }).describe(
      "Kinds of the objects. The operator needs the right to list and delete them: rbac.cleanedKinds of the chart.",
    ),
    namespaceSelector: labelSelector()
      .describe(
        "Labels of the namespace the object is in, or of the Namespace itself; left out, any namespace. Never kube-* and ShieldX's own.",
      )
      .exactOptional(),
    objectSelector: labelSelector().describe("Labels of the object; left out, any.").exactOptional(),
    matchConditions: mapList(standingCondition, { max: 16, keys: ["name"] })
      .describe(
        "CEL conditions over object and namespaceObject which must all be true. An object on which one comes to an error stays.",
      )
      .exactOptional(),
    variables: mapList(variable, { max: 64, keys: ["name"] })
      .describe("Named values for use in since: variables.<name>.")
      .exactOptional(),
    ttl: duration()
      .describe(
        "How old an object may become, counted from since, e.g. 72h. 0s: as soon as everything else holds.",
      )
      .exactOptional(),
    ttlFromAnnotation: z
      .boolean()
      .describe(
        "Whether an object's own annotation shieldx.io/ttl (e.g. 24h, or never) counts instead of ttl. Without ttl, only objects " +
          "with the annotation are looked at. Left out, the annotation means nothing.",
      )
      .exactOptional(),
    since: celExpression()
      .describe(
        "CEL expression that gives the timestamp from which the time counts, e.g. timestamp(object.status.completionTime). An " +
          "object on which it comes to an error stays. Left out, it is when the object was created.",
      )
      .exactOptional(),
    every: duration().describe("Time from one run to the next, at least 10s; left out, 10m.").exactOptional(),
    maxDeletionsPerRun: wholeNumber({ min: 1, max: 1000 })
      .describe("Most objects that one run deletes, the longest overdue first; left out, 10.")
      .exactOptional(),
    propagationPolicy: z
      .enum(["Background", "Foreground", "Orphan"])
      .describe("What happens to what the objects own, as in kubectl delete --cascade; left out, Background.")
      .exactOptional(),
  })
  .check(
    rule<SpecFields>({
      rule: "has(self.ttl) || (has(self.ttlFromAnnotation) && self.ttlFromAnnotation)",
      message:
        "needs a time: set ttl (0s for at once), or ttlFromAnnotation: true for objects that carry the annotation shieldx.io/ttl",
      fieldPath: ".ttl",
      holds: ({ ttl, ttlFromAnnotation }) => ttl !== undefined || ttlFromAnnotation === true,
    }),
    rule<SpecFields>({
      rule: "!has(self.every) || duration(self.every) >= duration('10s')",
      message: "each run lists all objects of the kinds: use at least 10s",
      fieldPath: ".every",
      holds: ({ every }) => every === undefined || parseDurationMs(every) >= SHORTEST_INTERVAL_MS,
    }),
  )
  .describe("Which objects are deleted when, and how many at once.");

const example = z
  .object({
    object: text({ max: 400 }).describe("Kind, namespace and name of the object."),
    since: timestamp().describe("Since when it has been due."),
    outcome: z
      .enum(["WouldDelete", "Deleted", "Kept"])
      .describe(
        "What came of it: WouldDelete (nothing was done), Deleted, or Kept for the reason in message.",
      ),
    message: text({ max: 512 }).describe("Why it was kept.").exactOptional(),
  })
  .describe("One object that is due.");

const lastRun = z.object({
  time: timestamp().describe("When it began."),
  generation: count().describe("The metadata.generation that it went by."),
  request: text({ max: 128 })
    .describe("The annotation shieldx.io/run that asked for it, where one did.")
    .exactOptional(),
  checked: count().describe("Objects of the kinds that it looked at."),
  due: count().describe("Those whose time is over."),
  deleted: count().describe("Those it deleted."),
  errors: count()
    .describe("Those on which an expression or the annotation came to no value; they stay.")
    .exactOptional(),
  error: text({ max: 512 }).describe("What was wrong with the first of these.").exactOptional(),
  examples: atomicList(example, { max: MAX_CLEANUP_EXAMPLES })
    .describe("The first ten that are due, the longest overdue first.")
    .exactOptional(),
});

const status = z.object({
  observedGeneration: count().describe("The metadata.generation this status is about.").exactOptional(),
  conditions: conditions("What is true of the policy now. Ready: its last run went through.").exactOptional(),
  lastRun: lastRun.describe("The last run.").exactOptional(),
  deletedTotal: count().describe("Objects deleted so far.").exactOptional(),
});

/** Schema of a whole ShieldCleanup. */
export const shieldCleanupSchema = z
  .object({
    apiVersion: z.literal("shieldx.io/v1alpha1"),
    kind: z.literal("ShieldCleanup"),
    metadata: objectMeta(),
    spec,
    status: status
      .describe("What became of the policy; written by the operator, never by people.")
      .exactOptional(),
  })
  .check(shortName("ShieldCleanup"))
  .describe(
    "ShieldCleanup deletes objects whose time is over, a bounded number at a time. As long as action is Report it only tells what " +
      "it would delete.",
  );

/** A ShieldCleanup with its defaults applied. */
export type ShieldCleanup = z.output<typeof shieldCleanupSchema>;
/** `spec` of a ShieldCleanup. */
export type ShieldCleanupSpec = ShieldCleanup["spec"];
/** `status` of a ShieldCleanup. */
export type ShieldCleanupStatus = z.output<typeof status>;

/** Names, columns and schema of the kind. */
export const shieldCleanupKind = defineKind({
  group: "shieldx.io",
  version: "v1alpha1",
  kind: "ShieldCleanup",
  plural: "shieldcleanups",
  singular: "shieldcleanup",
  shortNames: ["sclean"],
  categories: ["shieldx"],
  scope: "Cluster",
  schema: shieldCleanupSchema,
  printerColumns: [
    { name: "Action", type: "string", jsonPath: ".spec.action", description: "Report or Delete." },
    { name: "TTL", type: "string", jsonPath: ".spec.ttl", description: "How old objects may become." },
    {
      name: "Due",
      type: "integer",
      jsonPath: ".status.lastRun.due",
      description: "Objects whose time was over in the last run.",
    },
    {
      name: "Deleted",
      type: "integer",
      jsonPath: ".status.deletedTotal",
      description: "Objects deleted so far.",
    },
    {
      name: "Last Run",
      type: "date",
      jsonPath: ".status.lastRun.time",
      description: "Time since the last run.",
    },
    {
      name: "Ready",
      type: "string",
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      description: "Whether the last run went through.",
    },
    {
      name: "Reason",
      type: "string",
      jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
      description: "Why it is ready or not.",
    },
    {
      name: "Age",
      type: "date",
      jsonPath: ".metadata.creationTimestamp",
      description: "Time since creation.",
    },
  ],
});
