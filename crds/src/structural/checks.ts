/** zod's checks (bounds, patterns, refinements) as keywords of a structural schema. */
import type * as z from "zod";
import { NotStructuralError } from "./errors.ts";
import { patternDifference } from "./pattern.ts";
import { contributionOf } from "./server-check.ts";
import type { StructuralSchema } from "./structural-schema.ts";

type Node = z.core.$ZodTypes;

interface Place {
  path: string;
  isList: boolean;
}

/** Keywords from the checks of one node. @throws NotStructuralError for a check the server could not run */
export function convertChecks(node: Node, path: string): StructuralSchema {
  const schema: StructuralSchema = {};
  // z.int() and z.iso.*() are checks and schemas at once: their definition says so itself.
  const own = node._zod.def as { check?: string };
  const checks = (node._zod.def as { checks?: readonly z.core.$ZodCheck[] }).checks ?? [];
  const place = { path, isList: node._zod.def.type === "array" };
  if (own.check !== undefined) applyCheck(schema, node as unknown as z.core.$ZodCheck, place);
  for (const check of checks) applyCheck(schema, check, place);
  return schema;
}

function applyCheck(schema: StructuralSchema, check: z.core.$ZodCheck, place: Place): void {
  const contribution = contributionOf(check);
  if (contribution === undefined) {
    applyZodCheck(schema, (check as unknown as z.core.$ZodChecks)._zod.def, place);
    return;
  }
  const { validations, uniqueItems: _enforcedByListType, ...keywords } = contribution;
  Object.assign(schema, keywords);
  if (validations !== undefined) {
    schema["x-kubernetes-validations"] = [...(schema["x-kubernetes-validations"] ?? []), ...validations];
  }
}

function applyZodCheck(
  schema: StructuralSchema,
  check: z.core.$ZodChecks["_zod"]["def"],
  { path, isList }: Place,
): void {
  switch (check.check) {
    // zod uses one check for the length of strings and of lists; OpenAPI has a keyword for each.
    case "max_length":
      if (isList) schema.maxItems = check.maximum;
      else schema.maxLength = check.maximum;
      return;
    case "min_length":
      if (isList) schema.minItems = check.minimum;
      else schema.minLength = check.minimum;
      return;
    case "less_than":
      schema.maximum = Number(check.value);
      if (!check.inclusive) schema.exclusiveMaximum = true;
      return;
    case "greater_than":
      schema.minimum = Number(check.value);
      if (!check.inclusive) schema.exclusiveMinimum = true;
      return;
    case "multiple_of":
      schema.multipleOf = Number(check.value);
      return;
    case "number_format":
      if (check.format === "float32" || check.format === "float64") return;
      schema.type = "integer";
      schema.format = check.format === "int32" ? "int32" : "int64";
      return;
    case "string_format":
      applyStringFormat(schema, check as z.core.$ZodCheckStringFormatDef, path);
      return;
    default:
      throw new NotStructuralError(
        path,
        `has a check ("${check.check}") that runs only in TypeScript`,
        "write it with rule({rule: <CEL>, holds: <TypeScript>}), so that the API server makes it too",
      );
  }
}

function applyStringFormat(
  schema: StructuralSchema,
  check: z.core.$ZodCheckStringFormatDef,
  path: string,
): void {
  if (check.format !== "regex" || check.pattern === undefined) {
    throw new NotStructuralError(
      path,
      `has zod's string format "${check.format}", which the API server reads differently`,
      "use timestamp() or text({pattern})",
    );
  }
  const difference = patternDifference(check.pattern);
  if (difference !== undefined) {
    throw new NotStructuralError(path, `has the pattern ${check.pattern}`, difference);
  }
  if (schema.pattern !== undefined) {
    throw new NotStructuralError(path, "has two patterns", "combine them into one");
  }
  schema.pattern = check.pattern.source.replaceAll("\\/", "/");
}
