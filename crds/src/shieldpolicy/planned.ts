/**
 * Fields whose shape is decided and whose behaviour is not built yet. Each is refused by a rule in `rules.ts` that
 * says what to do instead; removing that rule is what switches the field on, so that no served version changes.
 */
import * as z from "zod";
import { labelSelector } from "../kubernetes/label-selector.ts";
import { anyObject, mapList, text } from "../structural/fields.ts";

const LATER = "Not yet supported. ";

const generated = z
  .object({
    name: text({ min: 1, max: 63 }).describe("Name of the entry."),
    object: anyObject().describe("Object to create, complete but for its namespace."),
    namespaceSelector: labelSelector().describe("Namespaces that receive the object."),
    synchronize: z
      .boolean()
      .default(true)
      .describe("Whether the object is kept as written here, and removed with the policy."),
  })
  .describe("One object to keep in every selected namespace.");

/** `spec` fields that are refused for now. */
export const plannedFields = {
  generate: mapList(generated, { max: 16, keys: ["name"] })
    .describe(`${LATER}Objects kept in every namespace, e.g. a NetworkPolicy.`)
    .exactOptional(),
} as const;
