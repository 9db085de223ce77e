import * as z from "zod";
import { atomicList, mapOf, structuralExtensions, text } from "../structural/fields.ts";
import { rule } from "../structural/server-check.ts";
import { qualifiedName } from "./names.ts";

const labelValue = () =>
  text({
    max: 63,
    pattern: /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/,
    hint: "a label value: letters, digits, '-', '_' and '.', at most 63 characters",
  });

const requirement = z
  .object({
    key: qualifiedName().describe("Label key the requirement is about."),
    operator: z
      .enum(["In", "NotIn", "Exists", "DoesNotExist"])
      .describe("How the label relates to values: In, NotIn, Exists or DoesNotExist."),
    values: atomicList(labelValue().describe("One label value."), { max: 64 })
      .describe("Label values; needed for In and NotIn, not allowed for Exists and DoesNotExist.")
      .exactOptional(),
  })
  .check(
    rule<{ operator: string; values?: string[] }>({
      rule: "self.operator in ['In', 'NotIn'] == (has(self.values) && size(self.values) > 0)",
      message: "operators In and NotIn need values, Exists and DoesNotExist allow none: add or remove values",
      fieldPath: ".values",
      holds: ({ operator, values }) => ["In", "NotIn"].includes(operator) === (values ?? []).length > 0,
    }),
  )
  .describe("One requirement on a label.");

const LABEL_KEY = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

// OpenAPI cannot restrict the keys of a map, and a selector with an impossible key selects nothing, silently.
const labelKeys = rule<Record<string, string>>({
  rule: `self.all(key, size(key) <= 317 && key.matches('${LABEL_KEY.source.replaceAll("\\/", "/")}'))`,
  message:
    "has a key that no label can have: use letters, digits, '-', '_' and '.', with an optional DNS prefix and '/'",
  holds: (labels) => Object.keys(labels).every((key) => key.length <= 317 && LABEL_KEY.test(key)),
});

/** `metav1.LabelSelector`: matchLabels and matchExpressions must all hold; an empty selector matches everything. */
export function labelSelector() {
  return z
    .object({
      matchLabels: mapOf(labelValue().describe("Value the label must have."), { max: 64 })
        .check(labelKeys)
        .describe("Labels that must be present with exactly these values.")
        .exactOptional(),
      matchExpressions: atomicList(requirement, { max: 32 })
        .describe("Requirements on labels, all of which must hold.")
        .exactOptional(),
    })
    .register(structuralExtensions, { mapType: "atomic" });
}

/** Label selector as in `metav1.LabelSelector`. */
export type LabelSelector = z.output<ReturnType<typeof labelSelector>>;
