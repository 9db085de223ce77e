import * as z from "zod";
import { count, mapList, text, timestamp } from "../structural/fields.ts";

/** One condition (KEP-1623); which types there are is in the description of the list. */
export const condition = z
  .object({
    type: text({
      min: 1,
      max: 63,
      pattern: /^[A-Za-z]([A-Za-z0-9]*)$/,
      hint: "a condition type in CamelCase",
    }).describe("Aspect of the object this condition is about, in CamelCase."),
    status: z
      .enum(["True", "False", "Unknown"])
      .describe("Whether the condition holds: True, False or Unknown."),
    observedGeneration: count()
      .describe("The metadata.generation this condition was computed from.")
      .exactOptional(),
    lastTransitionTime: timestamp().describe("When status last changed."),
    reason: text({
      min: 1,
      max: 128,
      pattern: /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/,
      hint: "a reason in CamelCase",
    }).describe("Why the condition has this status, as one CamelCase word for programs."),
    message: text({ max: 4096 }).describe("What happened and what to do about it, for people."),
  })
  .describe("One condition of the object.");

/** One entry of `status.conditions`. */
export type Condition = z.output<typeof condition>;

/** `status.conditions` with the description of which types there are. */
export function conditions(description: string) {
  return mapList(condition, { max: 16, keys: ["type"] }).describe(description);
}
