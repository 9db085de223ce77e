/** `status.gaps`: the times in which a policy did not refuse what it should have, and what was written meanwhile. */
import * as z from "zod";
import { MAX_APPROVER_LENGTH } from "../exception-reports.ts";
import { atomicList, count, text, timestamp } from "../structural/fields.ts";

/** Gaps that are kept for one policy, the latest. */
export const MAX_GAPS = 8;
/** Objects that are named for one gap. */
export const MAX_GAP_OBJECTS = 20;
/** Processes of the webhook whose counts are told apart. */
export const MAX_GAP_SHARES = 64;

export const GAP_CAUSES = ["BreakGlass", "NoReplica", "NotEnforced", "Tampering"] as const;

const gapObject = z
  .object({
    apiVersion: text({ max: 317 }).describe("API version of the object."),
    kind: text({ max: 63 }).describe("Kind of the object."),
    namespace: text({ max: 63 })
      .describe("Namespace of the object; absent for cluster-scoped ones.")
      .exactOptional(),
    name: text({ max: 253 }).describe("Name of the object."),
    uid: text({ max: 128 })
      .describe("uid of the object: what the API server's audit log has it by.")
      .exactOptional(),
    operation: text({ max: 16 })
      .describe("What the request asked for: CREATE or UPDATE, or what the webhook was asked about else.")
      .exactOptional(),
    user: text({ min: 1, max: MAX_APPROVER_LENGTH })
      .describe(
        "Whose request it was, as the API server authenticated it. Absent where the webhook was not asked: the API server's audit " +
          "log has it.",
      )
      .exactOptional(),
    manager: text({ max: 128 })
      .describe("Field manager of the write, which names the client, where the user is not known.")
      .exactOptional(),
    time: timestamp().describe("When it was written."),
    violates: z
      .boolean()
      .describe(
        "Whether the object breaks the policy still, as the background audit saw it last. Absent where that does not look.",
      )
      .exactOptional(),
  })
  .describe("One object that was written in the gap, and that the policy denies.");

const gap = z
  .object({
    id: text({ min: 1, max: 128 }).describe("What tells it from the others: of a ShieldBreakGlass, its uid."),
    cause: z
      .enum(GAP_CAUSES)
      .describe(
        "Why nothing was refused: BreakGlass (somebody said so), NoReplica (no webhook replica was there to ask, and failurePolicy is " +
          "Ignore), Tampering (somebody deleted or changed what enforces), NotEnforced (anything else that Enforced was not True for).",
      ),
    message: text({ max: 512 }).describe("That in a sentence."),
    from: timestamp().describe("When it began, at the earliest."),
    until: timestamp().describe("When it was over, at the latest. Absent while it lasts.").exactOptional(),
    breakGlass: text({ max: 63 }).describe("Name of the ShieldBreakGlass.").exactOptional(),
    user: text({ min: 1, max: MAX_APPROVER_LENGTH })
      .describe("Who opened that, where the webhook was told.")
      .exactOptional(),
    requests: count()
      .describe(
        "Requests that would have been refused and were let pass, as far as the webhook was asked; what somebody else refused " +
          "afterwards is counted, too.",
      )
      .exactOptional(),
    found: count()
      .describe(
        "Objects known to have been written in it that the policy denies, those named in objects included: by the webhook, and by the " +
          "background audit.",
      )
      .exactOptional(),
    processes: atomicList(
      z
        .object({
          id: text({ min: 1, max: 64 }).describe("Id of the process."),
          count: count().describe("What it has counted."),
        })
        .describe("The share of one process of the webhook in requests."),
      { max: MAX_GAP_SHARES },
    )
      .describe("Shares in requests, so that it stays right when replicas or the operator restart.")
      .exactOptional(),
    objects: atomicList(gapObject, { max: MAX_GAP_OBJECTS })
      .describe("What was written, the latest first, at most twenty.")
      .exactOptional(),
    audited: z
      .boolean()
      .describe(
        "Whether the background audit has been through everything since the gap was over; false where it does not look at the policy.",
      )
      .exactOptional(),
  })
  .describe("One time in which the policy was not enforced.");

/** `status.gaps` of a ShieldPolicy. */
export const gapsStatus = atomicList(gap, { max: MAX_GAPS });

/** One entry of `status.gaps`. */
export type Gap = z.output<typeof gap>;
/** One entry of `objects` of a gap. */
export type GapObject = z.output<typeof gapObject>;
export type GapCause = (typeof GAP_CAUSES)[number];
