/** CEL of the kinds that are about what stands in the cluster and not about requests. */
import * as z from "zod";
import { celExpression } from "../shieldpolicy/cel.ts";
import { qualifiedName } from "./names.ts";

/** `spec.matchConditions[]` of ShieldGenerator and ShieldCleanup. */
export const standingCondition = z
  .object({
    name: qualifiedName().describe("Name of the condition, for messages."),
    expression: celExpression().describe(
      "CEL expression that gives true or false, with the functions policies of engine cel have.",
    ),
  })
  .describe("One condition that must hold.");
