import * as z from "zod";
import { conditions } from "../kubernetes/condition.ts";
import { atomicList, count, text, timestamp } from "../structural/fields.ts";
import { gapsStatus } from "./gap-status.ts";
import { rolloutStatus } from "./rollout-status.ts";

/** Condition types of a ShieldPolicy. */
export const SHIELD_POLICY_CONDITIONS = ["Ready", "Compiled", "TestsPassed", "Enforced", "Degraded"] as const;

/** Entries of `status.worstOffenders`. */
export const MAX_WORST_OFFENDERS = 10;

const offender = z
  .object({
    apiVersion: text({ max: 317 }).describe("API version of the object."),
    kind: text({ max: 63 }).describe("Kind of the object."),
    namespace: text({ max: 63 })
      .describe("Namespace of the object; absent for cluster-scoped ones.")
      .exactOptional(),
    name: text({ max: 253 }).describe("Name of the object."),
    violations: count().describe("How many findings the policy has against it."),
  })
  .describe("One object that breaks the policy.");

/** `status` of a ShieldPolicy; written by the operator only. */
export const shieldPolicyStatus = z.object({
  observedGeneration: count().describe("The metadata.generation this status is about.").exactOptional(),
  conditions: conditions(
    "What is true of the policy now. Ready: in force as written. Compiled: understood without error. TestsPassed: its tests " +
      "pass. Enforced: something acts on requests, see enforcedBy. Degraded: an older version is in force, or only a part.",
  ).exactOptional(),
  enforcedBy: z
    .enum(["Native", "Webhook", "None"])
    .describe(
      "Who acts on requests that break the policy: Native (a ValidatingAdmissionPolicy in the API server), Webhook (ShieldX) " +
        "or None. Exactly one of them acts.",
    )
    .exactOptional(),
  handingOverTo: z
    .enum(["Native", "Webhook"])
    .describe(
      "Who is to act instead of enforcedBy, and is being made ready for it. Left out once that has taken over.",
    )
    .exactOptional(),
  enforcedByReason: text({ max: 1024 }).describe("Why it is that one.").exactOptional(),
  podSecurityVersion: text({ max: 16 })
    .describe("Version of the Pod Security Standards that is judged by, where the policy says latest.")
    .exactOptional(),
  digest: text({ max: 128 })
    .describe("SHA-256 of the policy set in force that contains this policy.")
    .exactOptional(),
  loadedBy: text({ max: 16, pattern: /^[0-9]{1,6}\/[0-9]{1,6}$/, hint: "two numbers, e.g. 2/3" })
    .describe("How many webhook replicas have loaded this version of the policy, out of how many, e.g. 2/3.")
    .exactOptional(),
  counts: z
    .object({
      checked: count().describe("Existing objects the policy was held against.").exactOptional(),
      violating: count().describe("Existing objects that break the policy.").exactOptional(),
      violations: count()
        .describe("Findings against existing objects; one object may have several.")
        .exactOptional(),
      exempted: count()
        .describe("Existing objects that break the policy and have an exception.")
        .exactOptional(),
      withoutReport: count()
        .describe(
          "Existing objects that break the policy and have no Report of their own, because as many are kept as allowed: the " +
            "Report shieldx-summary of their namespace counts them. Absent where there are none.",
        )
        .exactOptional(),
      lastScanTime: timestamp().describe("When all existing objects were last judged.").exactOptional(),
    })
    .describe("What the background audit found among existing objects.")
    .exactOptional(),
  worstOffenders: atomicList(offender, { max: MAX_WORST_OFFENDERS })
    .describe("The existing objects with the most findings, at most ten, worst first.")
    .exactOptional(),
  exceptions: z
    .object({
      active: count().describe("ShieldExceptions that are honoured now.").exactOptional(),
      expired: count().describe("ShieldExceptions that have expired and are still there.").exactOptional(),
    })
    .describe("ShieldExceptions that name this policy.")
    .exactOptional(),
  gaps: gapsStatus
    .describe(
      "When the policy refused nothing though it says deny, and what was written meanwhile that it denies: the latest eight, the " +
        "newest first.",
    )
    .exactOptional(),
  rollout: rolloutStatus
    .describe("How far the version that is written has come, for a policy with spec.rollout.")
    .exactOptional(),
});

/** Writes `status.loadedBy`. */
export function formatLoadedBy(loaded: number, replicas: number): string {
  return `${loaded}/${replicas}`;
}
