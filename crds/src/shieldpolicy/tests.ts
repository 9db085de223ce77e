/** `spec.tests`: requests a policy is held against before it goes into force, and what it must answer. */
import * as z from "zod";
import { anyObject, atomicList, mapList, mapOf, text } from "../structural/fields.ts";
import { rule } from "../structural/server-check.ts";

/** Cases of one policy. */
export const MAX_POLICY_TESTS = 64;

interface Objects {
  readonly operation: string;
  readonly object?: unknown;
  readonly oldObject?: unknown;
}

/** One case. */
export const policyTestSchema = z
  .object({
    name: text({ min: 1, max: 128 }).describe("Name of the case, shown when it fails."),
    operation: z
      .enum(["CREATE", "UPDATE", "DELETE", "CONNECT"])
      .default("CREATE")
      .describe("Operation of the request."),
    object: anyObject()
      .describe(
        "Object of the request, with apiVersion and kind. Only what the policy looks at need be there; without a namespace it " +
          "is in namespace default, or in that of a NamespacedShieldPolicy.",
      )
      .exactOptional(),
    oldObject: anyObject().describe("Object as it was before, for UPDATE and DELETE.").exactOptional(),
    subresource: text({ min: 1, max: 63 })
      .describe("Subresource of the request, e.g. ephemeralcontainers or scale.")
      .exactOptional(),
    params: anyObject()
      .describe("Parameter object that spec.paramRef finds; without it, it finds none.")
      .exactOptional(),
    inventory: atomicList(anyObject().describe("One object, with apiVersion, kind and metadata."), {
      max: 32,
    })
      .describe("Objects there are of the kinds in spec.rego.inventory; none when left out.")
      .exactOptional(),
    namespaceLabels: mapOf(text({ max: 63 }).describe("Label value."), { max: 64 })
      .describe("Labels of the namespace of the request; kubernetes.io/metadata.name is there by itself.")
      .exactOptional(),
    username: text({ min: 1, max: 512 })
      .describe("Who sends the request; policy-test when left out.")
      .exactOptional(),
    expect: z
      .object({
        decision: z
          .enum(["allow", "deny"])
          .describe("Verdict the policy must reach, whatever its actions are."),
        message: text({ min: 1, max: 1024 })
          .describe("Text that must occur in the message of a denial.")
          .exactOptional(),
      })
      .describe("What the policy must answer."),
  })
  .check(
    rule<Objects>({
      rule: "self.operation == 'DELETE' ? has(self.oldObject) : has(self.object)",
      message:
        "a request carries an object (for DELETE: oldObject): write the one the policy is to be held against",
      reason: "FieldValueRequired",
      holds: ({ operation, object, oldObject }) =>
        (operation === "DELETE" ? oldObject : object) !== undefined,
    }),
    rule<Objects>({
      rule: "self.operation != 'UPDATE' || has(self.oldObject)",
      message: "an UPDATE needs oldObject: write the object as it was before",
      reason: "FieldValueRequired",
      fieldPath: ".oldObject",
      holds: ({ operation, oldObject }) => operation !== "UPDATE" || oldObject !== undefined,
    }),
  )
  .describe("One case.");

/** One case of `spec.tests`, with its defaults applied. */
export type PolicyTest = z.output<typeof policyTestSchema>;

export const policyTests = mapList(policyTestSchema, { max: MAX_POLICY_TESTS, keys: ["name"] });
