/** `status.rollout`: how far the version of the policy that is written has come. */
import * as z from "zod";
import { atomicList, count, text, timestamp, wholeNumber } from "../structural/fields.ts";

/** Entries of `status.rollout.found.objects` and `.namespaces`. */
export const MAX_FOUND = 20;
/** Longest message of an entry. */
export const MAX_FOUND_MESSAGE = 512;
/** Processes of the webhook whose counts are told apart. */
export const MAX_ROLLOUT_SHARES = 64;
/** Longest version that is kept beside a newer one, in characters of JSON. */
export const MAX_KEPT_SPEC = 524_288;
/** Longest value of the annotation `shieldx.io/rollout` that is read. */
export const MAX_ROLLOUT_REQUEST = 128;

export const ROLLOUT_STAGES = ["Shadow", "Canary", "Bake", "Full", "RolledBack"] as const;

const tally = {
  requests: count().describe(
    "Requests that the new version judged: in a canary step those of its namespaces.",
  ),
  denied: count().describe(
    "Those that it refused; in stages in which it acts on nothing, that it would have.",
  ),
  errors: count().describe("Those on which it came to no verdict."),
  slow: count().describe("Those for which it took longer than rollback.maxLatencyMilliseconds."),
  found: count().describe("Requests it refused or would have refused, in whatever namespace."),
};

const share = z
  .object({ id: text({ min: 1, max: 64 }).describe("Id of the process."), ...tally })
  .describe("Counts of one process.");

const foundObject = z
  .object({
    namespace: text({ max: 63 }).describe("Namespace; absent for cluster-scoped ones.").exactOptional(),
    kind: text({ max: 253 }).describe("Kind of the object."),
    name: text({ max: 253 }).describe("Name, or what generateName begins with, and *."),
    message: text({ max: MAX_FOUND_MESSAGE }).describe("What is wrong with it."),
  })
  .describe("One object.");

const foundNamespace = z
  .object({
    name: text({ max: 63 }).describe("Name of the namespace; empty for cluster-scoped objects."),
    denied: count().describe("Requests there that the new version refused, or would have."),
  })
  .describe("One namespace.");

/** `status.rollout`. */
export const rolloutStatus = z.object({
  digest: text({ min: 1, max: 64 }).describe(
    "Which version this is about: a digest of spec without rollout and tests.",
  ),
  generation: count().describe("The metadata.generation in which that version was seen last."),
  stage: z
    .enum(ROLLOUT_STAGES)
    .describe(
      "Shadow (acts on nothing), Canary (acts in a share of the namespaces), Bake (acts everywhere, and is watched), Full (in " +
        "force), RolledBack (acts on nothing, until somebody promotes it or writes another version).",
    ),
  step: text({ min: 1, max: 32 }).describe("Name of the step: shadow, canary-10, bake, full or rolled-back."),
  percent: wholeNumber({ min: 0, max: 100 }).describe("Share of namespaces in which the new version acts."),
  turn: count().describe("Grows with every step; what replicas count is about one turn."),
  since: timestamp().describe("When the step began."),
  until: timestamp()
    .describe("When the next step is due if nothing holds it up, as seen when this one began.")
    .exactOptional(),
  bakedSeconds: count()
    .describe("How much of the step's duration has passed with all replicas of the webhook keeping it.")
    .exactOptional(),
  checkedAt: timestamp().describe("When bakedSeconds was written.").exactOptional(),
  paused: z.boolean().describe("Whether somebody has asked for a pause by annotation.").exactOptional(),
  message: text({ max: 1024 }).describe("What the step waits for, or why it was taken back.").exactOptional(),
  rollback: z
    .object({
      reason: z
        .enum(["DenialRate", "ErrorRate", "Latency", "Aborted"])
        .describe("Which limit was exceeded; Aborted where somebody asked for it."),
      message: text({ max: 1024 }).describe("The figures."),
      from: text({ max: 32 }).describe("The step it was taken back from."),
      at: timestamp().describe("When."),
    })
    .describe("Why the version was last taken back.")
    .exactOptional(),
  counts: z.object(tally).describe("What all replicas counted in this step.").exactOptional(),
  processes: atomicList(share, { max: MAX_ROLLOUT_SHARES })
    .describe("Shares of counts by processes of the webhook; the rest is of processes that are gone.")
    .exactOptional(),
  found: z
    .object({
      objects: atomicList(foundObject, { max: MAX_FOUND }).describe(
        "Objects that requests were about which the new version refused, or would have.",
      ),
      moreObjects: count().describe("At least so many others.").exactOptional(),
      namespaces: atomicList(foundNamespace, { max: MAX_FOUND }).describe(
        "Such requests by namespace, most first.",
      ),
      moreNamespaces: count().describe("Such requests in other namespaces.").exactOptional(),
    })
    .describe("What the new version found since it was written, in all steps.")
    .exactOptional(),
  inForce: z
    .object({
      digest: text({ min: 1, max: 64 }).describe("Its digest."),
      spec: text({ min: 1, max: MAX_KEPT_SPEC }).describe("Its spec, as JSON."),
    })
    .describe(
      "The version that was last in force everywhere. While a newer one goes in by stages, it holds wherever that does not act yet.",
    )
    .exactOptional(),
  answered: z
    .object({
      request: text({ max: MAX_ROLLOUT_REQUEST }).describe("Value of the annotation shieldx.io/rollout."),
      accepted: z.boolean().describe("Whether it was done."),
      message: text({ max: 1024 }).describe("What was done, or why not."),
    })
    .describe("The last request by annotation, and what came of it.")
    .exactOptional(),
});

/** `status.rollout`. */
export type RolloutStatus = z.output<typeof rolloutStatus>;
export type RolloutStage = RolloutStatus["stage"];
export type RolloutCounts = NonNullable<RolloutStatus["counts"]>;
export type RolloutFound = NonNullable<RolloutStatus["found"]>;
