/** How one field's type, bounds and default read in the reference. */
import type { StructuralSchema } from "../structural/structural-schema.ts";

/** A label selector looks the same everywhere and is explained once. */
export function isLabelSelector(schema: StructuralSchema): boolean {
  const names = Object.keys(schema.properties ?? {});
  return names.length === 2 && names.includes("matchLabels") && names.includes("matchExpressions");
}

/** The type of a field in words, with its bounds, e.g. `list of string (at most 64)`. */
export function typeInWords(schema: StructuralSchema): string {
  if (isLabelSelector(schema)) return "[label selector](#label-selector)";
  if (schema["x-kubernetes-int-or-string"]) return "integer or string";
  switch (schema.type) {
    case "array":
      return `list of ${typeInWords(schema.items ?? {})}${count(schema.minItems, schema.maxItems, "items")}`;
    case "object":
      return objectInWords(schema);
    case "string":
      return stringInWords(schema);
    case "integer":
    case "number":
      return `${schema.type}${range(schema)}`;
    case undefined:
      return "anything";
    default:
      return schema.type;
  }
}

function objectInWords(schema: StructuralSchema): string {
  if (schema.additionalProperties !== undefined) {
    const bounds = count(schema.minProperties, schema.maxProperties, "entries");
    return `map of string to ${typeInWords(schema.additionalProperties)}${bounds}`;
  }
  return schema["x-kubernetes-preserve-unknown-fields"] ? "any object" : "object";
}

function stringInWords(schema: StructuralSchema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(", ");
  if (schema.format === "date-time") return "date and time";
  return `string${count(schema.minLength, schema.maxLength, "characters")}`;
}

function count(min: number | undefined, max: number | undefined, of: string): string {
  if (max === undefined) return min === undefined ? "" : ` (at least ${min} ${of})`;
  return min === undefined || min === 0 ? ` (at most ${max} ${of})` : ` (${min} to ${max} ${of})`;
}

function range({ minimum, maximum }: StructuralSchema): string {
  if (minimum === undefined && maximum === undefined) return "";
  if (maximum === undefined || maximum === Number.MAX_SAFE_INTEGER) return ` (at least ${minimum})`;
  return minimum === undefined ? ` (at most ${maximum})` : ` (${minimum} to ${maximum})`;
}

/** `required`, the default, or nothing. */
export function presence(schema: StructuralSchema, required: boolean): string {
  if (required) return "required";
  return schema.default === undefined
    ? ""
    : `default \`${JSON.stringify(schema.default).replaceAll('"', "")}\``;
}
