/** Fields of engine `cel`, with the names and shapes of ValidatingAdmissionPolicy and its binding. */
import * as z from "zod";
import { labelSelector } from "../kubernetes/label-selector.ts";
import { apiVersion, dnsLabel, kindName, qualifiedName, subdomain } from "../kubernetes/names.ts";
import { atomicList, mapList, text } from "../structural/fields.ts";
import { rule } from "../structural/server-check.ts";

/** Longest CEL expression we store, in characters. */
export const MAX_EXPRESSION_LENGTH = 10_240;

/** A CEL expression of a field. */
export const celExpression = () =>
  text({
    min: 1,
    max: MAX_EXPRESSION_LENGTH,
    pattern: /[^ \t\n\r]/,
    hint: "a CEL expression, not only blanks",
  });

/** `spec.matchConditions[]`. */
export const matchCondition = z
  .object({
    name: qualifiedName().describe("Name of the condition, for logs and metrics."),
    expression: celExpression().describe(
      "CEL expression over object, oldObject, request and authorizer that says whether the policy applies.",
    ),
  })
  .describe("One condition a request must meet for the policy to apply.");

/** `spec.paramKind`. */
export const paramKind = z.object({
  apiVersion: apiVersion().describe("API version of the parameter objects, e.g. v1 or rules.example.com/v1."),
  kind: kindName().describe("Kind of the parameter objects, e.g. ConfigMap."),
});

/** `spec.paramRef`. */
export const paramRef = z
  .object({
    name: subdomain()
      .describe("Name of the one parameter object; not together with selector.")
      .exactOptional(),
    namespace: dnsLabel()
      .describe(
        "Namespace of the parameter object; left out for a namespaced paramKind, the namespace of the request.",
      )
      .exactOptional(),
    selector: labelSelector()
      .describe("Labels of the parameter objects; all that match are used. Not together with name.")
      .exactOptional(),
    parameterNotFoundAction: z
      .enum(["Allow", "Deny"])
      .describe("What happens to a request when no parameter object is found: Allow or Deny."),
  })
  .check(
    rule<{ name?: string; selector?: unknown }>({
      rule: "has(self.name) != has(self.selector)",
      message: "paramRef needs either name or selector: set exactly one of them",
      holds: ({ name, selector }) => (name === undefined) !== (selector === undefined),
    }),
  );

/** `spec.variables[]`. */
export const variable = z
  .object({
    name: text({
      min: 1,
      max: 63,
      pattern: /^[A-Za-z_][A-Za-z0-9_]*$/,
      hint: "a CEL identifier: letters, digits and '_', not beginning with a digit",
    }).describe("Name under which later expressions find the value: variables.<name>."),
    expression: celExpression().describe(
      "CEL expression that gives the value; it may use variables defined before it.",
    ),
  })
  .describe("One named value, computed at most once per request.");

/** `spec.validations[]`. */
export const validation = z
  .object({
    expression: celExpression().describe("CEL expression that must be true for the request to pass."),
    message: text({
      min: 1,
      max: 1024,
      pattern: /^[^\n\r]*[^ \t\n\r][^\n\r]*$/,
      hint: "one line of text",
    })
      .describe("What to tell the person whose request breaks the rule: what is wrong and what to do.")
      .exactOptional(),
    messageExpression: celExpression()
      .describe("CEL expression that gives the message as a string; message is used when it fails.")
      .exactOptional(),
    reason: z
      .enum(["Unauthorized", "Forbidden", "Invalid", "RequestEntityTooLarge"])
      .describe("Reason, and through it HTTP status, of the refusal; Invalid when left out.")
      .exactOptional(),
  })
  .describe("One rule a request must keep.");

/** `spec.auditAnnotations[]`. */
export const auditAnnotation = z
  .object({
    key: text({
      min: 1,
      max: 63,
      pattern: /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/,
      hint: "letters, digits, '-', '_' and '.'",
    }).describe("Last part of the annotation's key in the API server's audit log."),
    valueExpression: text({
      min: 1,
      max: 5120,
      pattern: /[^ \t\n\r]/,
      hint: "a CEL expression, not only blanks",
    }).describe("CEL expression that gives the annotation's value as a string, or null for none."),
  })
  .describe("One annotation for the API server's audit log.");

/** The fields of engine `cel`. */
export const celFields = {
  matchConditions: mapList(matchCondition, { max: 64, keys: ["name"] })
    .describe("CEL conditions which must all be true for the policy to apply to a request.")
    .exactOptional(),
  paramKind: paramKind
    .describe(
      "Kind of the objects that carry the policy's parameters, seen by expressions as params, by rules in Rego as input.parameters.",
    )
    .exactOptional(),
  paramRef: paramRef.describe("Which objects of paramKind are used.").exactOptional(),
  variables: mapList(variable, { max: 64, keys: ["name"] })
    .describe("Named values for use in the expressions that follow them.")
    .exactOptional(),
  validations: atomicList(validation, { max: 64 })
    .describe("Rules a request must keep, as in ValidatingAdmissionPolicy.")
    .exactOptional(),
  auditAnnotations: mapList(auditAnnotation, { max: 20, keys: ["key"] })
    .describe("Annotations for the API server's audit log, as in ValidatingAdmissionPolicy.")
    .exactOptional(),
} as const;
