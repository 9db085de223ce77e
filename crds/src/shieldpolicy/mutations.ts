/** `spec.mutations` and `spec.reinvocationPolicy`, shaped as in MutatingAdmissionPolicy (KEP-3962). */
import * as z from "zod";
import { atomicList, text } from "../structural/fields.ts";
import { rule } from "../structural/server-check.ts";
import { MAX_EXPRESSION_LENGTH } from "./cel.ts";

const expression = () => text({ min: 1, max: MAX_EXPRESSION_LENGTH });

interface MutationFields {
  readonly patchType: "ApplyConfiguration" | "JSONPatch";
  readonly applyConfiguration?: unknown;
  readonly jsonPatch?: unknown;
}

const mutation = z
  .object({
    patchType: z
      .enum(["ApplyConfiguration", "JSONPatch"])
      .describe(
        "Form of the change: ApplyConfiguration merges an object as server-side apply does, JSONPatch is a list of operations.",
      ),
    applyConfiguration: z
      .object({
        expression: expression().describe(
          "CEL expression that gives an Object{...}, e.g. Object{metadata: Object.metadata{labels: {'team': 'none'}}}. Lists " +
            "merge by their keys; what is atomic cannot be set (use JSONPatch).",
        ),
      })
      .describe("Change for patchType ApplyConfiguration.")
      .exactOptional(),
    jsonPatch: z
      .object({
        expression: expression().describe(
          "CEL expression that gives a list of JSONPatch{op: ..., path: ..., value: ...} (RFC 6902). jsonpatch.escapeKey() " +
            "escapes a key for use in a path; a test that fails leaves the object as it is.",
        ),
      })
      .describe("Change for patchType JSONPatch.")
      .exactOptional(),
  })
  .check(
    rule<MutationFields>({
      rule:
        "self.patchType == 'JSONPatch' ? has(self.jsonPatch) && !has(self.applyConfiguration) : " +
        "has(self.applyConfiguration) && !has(self.jsonPatch)",
      message:
        "a mutation needs exactly the field of its patchType: applyConfiguration for ApplyConfiguration, jsonPatch for JSONPatch",
      holds: ({ patchType, applyConfiguration, jsonPatch }) =>
        patchType === "JSONPatch"
          ? jsonPatch !== undefined && applyConfiguration === undefined
          : applyConfiguration !== undefined && jsonPatch === undefined,
    }),
  )
  .describe("One change, as in MutatingAdmissionPolicy.");

/** The fields of policies that change objects. */
export const mutationFields = {
  mutations: atomicList(mutation, { max: 32 })
    .describe(
      "Changes to objects that are created or updated, made in order before any validation, as in MutatingAdmissionPolicy. Each " +
        "has to come to the same when it is applied a second time.",
    )
    .exactOptional(),
  reinvocationPolicy: z
    .enum(["Never", "IfNeeded"])
    .describe(
      "Whether the mutations are applied once more when something else changed the object after them. IfNeeded when left out: " +
        "what a later webhook adds (a sidecar, say) is then treated like the rest.",
    )
    .exactOptional(),
} as const;
