/**
 * zod → structural OpenAPI v3. zod's own JSON Schema is not structural (`additionalProperties: false`, `anyOf`,
 * `const`, `$ref`, `propertyNames`), and it drops what it cannot say. This converter throws instead: what the API
 * server would not check must not look checked.
 */
import type * as z from "zod";
import { convertChecks } from "./checks.ts";
import { NotStructuralError } from "./errors.ts";
import { structuralExtensions } from "./fields.ts";
import type { Json, StructuralSchema } from "./structural-schema.ts";

/** What the converter demands beyond being structural. */
export interface ConversionOptions {
  /** Every string, list and map needs an upper bound, or CEL rules run out of their cost budget. Default true. */
  requireBounds?: boolean;
  /** Every field needs a description, so that `kubectl explain` has something to say. Default true. */
  requireDescriptions?: boolean;
}

interface Context extends Required<ConversionOptions> {
  path: string;
}

type Node = z.core.$ZodTypes;

/**
 * Converts a zod schema.
 * @throws NotStructuralError naming the field, what is wrong with it and what to write instead
 */
export function toStructural(schema: z.ZodType, options: ConversionOptions = {}): StructuralSchema {
  const { requireBounds = true, requireDescriptions = true } = options;
  return convertField(schema as unknown as Node, { requireBounds, requireDescriptions, path: "" }).schema;
}

interface Field {
  schema: StructuralSchema;
  required: boolean;
}

/** Unwraps optional, default and nullable, which belong to the field, and converts the value inside. */
function convertField(node: Node, context: Context): Field {
  let inner = node;
  let required = true;
  let description = describe(node);
  const wrapper: StructuralSchema = {};
  for (;;) {
    const definition = inner._zod.def;
    if (definition.type === "optional") required = false;
    else if (definition.type === "nullable") wrapper.nullable = true;
    else if (definition.type === "default") {
      required = false;
      wrapper.default = jsonValue(definition.defaultValue, context);
    } else if (definition.type !== "readonly") break;
    inner = definition.innerType as Node;
    description ??= describe(inner);
  }
  if (description === undefined && context.requireDescriptions && context.path !== "") {
    throw new NotStructuralError(
      context.path,
      "has no description",
      "add .describe(…), it is what kubectl explain shows",
    );
  }
  const value = convertValue(inner, context);
  return {
    required,
    schema: { ...(description === undefined ? {} : { description }), ...value, ...wrapper },
  };
}

function describe(node: Node): string | undefined {
  return (node as unknown as z.ZodType).description;
}

function jsonValue(value: unknown, context: Context): Json {
  const text = JSON.stringify(value);
  if (text === undefined) {
    throw new NotStructuralError(context.path, "has a default that is no JSON value", "use a JSON value");
  }
  return JSON.parse(text) as Json;
}

function convertValue(node: Node, context: Context): StructuralSchema {
  const extensions = structuralExtensions.get(node as unknown as z.ZodType) ?? {};
  const schema = { ...convertShape(node, context), ...convertChecks(node, context.path) };
  if (extensions.mapType !== undefined) schema["x-kubernetes-map-type"] = extensions.mapType;
  if (extensions.preserveUnknownFields) schema["x-kubernetes-preserve-unknown-fields"] = true;
  if (extensions.embeddedResource) schema["x-kubernetes-embedded-resource"] = true;
  if (extensions.nullable) schema.nullable = true;
  applyListType(schema, extensions, context);
  if (context.requireBounds) demandBounds(schema, context.path);
  return schema;
}

function applyListType(
  schema: StructuralSchema,
  extensions: { listType?: "atomic" | "set" | "map"; listMapKeys?: readonly string[] },
  { path }: Context,
): void {
  if (schema.type !== "array") return;
  if (extensions.listType === undefined) {
    throw new NotStructuralError(
      path,
      "is a list that does not say how server-side apply merges it",
      "build it with atomicList, setOf or mapList",
    );
  }
  schema["x-kubernetes-list-type"] = extensions.listType;
  if (extensions.listType !== "map") return;
  const keys = [...(extensions.listMapKeys ?? [])];
  const items = schema.items ?? {};
  for (const key of keys) {
    const field = items.properties?.[key];
    if (field === undefined || !(items.required?.includes(key) || field.default !== undefined)) {
      throw new NotStructuralError(
        `${path}[].${key}`,
        "is a list map key and may be absent",
        "make it required or give it a default",
      );
    }
  }
  schema["x-kubernetes-list-map-keys"] = keys;
}

function demandBounds(schema: StructuralSchema, path: string): void {
  const unbounded =
    (schema.type === "string" &&
      schema.maxLength === undefined &&
      schema.enum === undefined &&
      schema.format === undefined &&
      "string without a maximum length") ||
    (schema.type === "array" && schema.maxItems === undefined && "list without a maximum number of items") ||
    (schema.type === "object" &&
      schema.additionalProperties !== undefined &&
      schema.maxProperties === undefined &&
      "map without a maximum number of entries");
  if (unbounded) {
    throw new NotStructuralError(
      path,
      `is a ${unbounded}`,
      "give it a bound: CEL rules are priced by the largest value",
    );
  }
}

function convertShape(node: Node, context: Context): StructuralSchema {
  const definition = node._zod.def;
  switch (definition.type) {
    case "string":
      return { type: "string" };
    case "number":
      return { type: "number" };
    case "boolean":
      return { type: "boolean" };
    case "enum":
      return enumeration(Object.values(definition.entries), context);
    case "literal":
      return enumeration(definition.values, context);
    case "object":
      return convertObject(definition as z.core.$ZodObjectDef, context);
    case "array":
      return {
        type: "array",
        items: convertField(definition.element as Node, { ...context, path: `${context.path}[]` }).schema,
      };
    case "record":
      return convertRecord(node, definition, context);
    case "union":
      return convertUnion(definition, context);
    case "unknown":
    case "any":
      return convertAnything(node, context);
    default:
      throw new NotStructuralError(
        context.path,
        `is of zod type "${definition.type}"`,
        remedyFor(definition.type),
      );
  }
}

function remedyFor(type: string): string {
  switch (type) {
    case "intersection":
      return "spread the shapes into one object";
    case "lazy":
      return "structural schemas cannot recurse: flatten it or keep unknown fields";
    case "transform":
    case "pipe":
    case "catch":
    case "prefault":
      return "the API server cannot run it: describe the value as it is stored";
    case "date":
      return "use timestamp(), which is a string in RFC 3339";
    case "bigint":
      return "use wholeNumber()";
    case "tuple":
    case "set":
    case "map":
      return "use a list or a map of one type of value";
    default:
      return "describe it with strings, numbers, booleans, enums, objects, lists and maps";
  }
}

function enumeration(values: readonly unknown[], { path }: Context): StructuralSchema {
  const kinds = new Set(values.map((value) => typeof value));
  const [kind] = kinds;
  if (kinds.size !== 1 || (kind !== "string" && kind !== "number" && kind !== "boolean")) {
    throw new NotStructuralError(
      path,
      "lists values of different types",
      "list strings, numbers or booleans only",
    );
  }
  const integers = kind === "number" && values.every((value) => Number.isSafeInteger(value));
  return { type: integers ? "integer" : kind, enum: [...(values as Json[])] };
}

function convertObject(definition: z.core.$ZodObjectDef, context: Context): StructuralSchema {
  const properties: Record<string, StructuralSchema> = {};
  const required: string[] = [];
  for (const [name, child] of Object.entries(definition.shape)) {
    const path = context.path === "" ? name : `${context.path}.${name}`;
    const field = convertField(child as Node, { ...context, path });
    properties[name] = field.schema;
    if (field.required) required.push(name);
  }
  const catchall = definition.catchall?._zod.def.type;
  if (catchall !== undefined && catchall !== "never" && catchall !== "unknown") {
    throw new NotStructuralError(
      context.path,
      "mixes named fields with a typed catchall",
      "put the free part into a map field of its own",
    );
  }
  return {
    type: "object",
    properties,
    ...(required.length === 0 ? {} : { required }),
    ...(catchall === "unknown" ? { "x-kubernetes-preserve-unknown-fields": true as const } : {}),
  };
}

function convertRecord(node: Node, definition: z.core.$ZodRecordDef, context: Context): StructuralSchema {
  const key = definition.keyType._zod.def as { type: string; checks?: unknown[] };
  if (key.type !== "string" || (key.checks ?? []).length > 0) {
    throw new NotStructuralError(
      context.path,
      "restricts the keys of a map",
      "use plain string keys and, for their form, a rule",
    );
  }
  const extensions = structuralExtensions.get(node as unknown as z.ZodType);
  const value = definition.valueType as Node;
  if (extensions?.preserveUnknownFields && value._zod.def.type === "unknown") return { type: "object" };
  return {
    type: "object",
    additionalProperties: convertField(value, { ...context, path: `${context.path}{}` }).schema,
  };
}

function convertUnion(definition: z.core.$ZodUnionDef, { path }: Context): StructuralSchema {
  const types = definition.options.map((option) => (option as Node)._zod.def.type).sort();
  if (types.length === 2 && types[0] === "number" && types[1] === "string") {
    return { "x-kubernetes-int-or-string": true };
  }
  throw new NotStructuralError(
    path,
    "is a union",
    "use one optional field per variant and a rule that says which go together",
  );
}

function convertAnything(node: Node, { path }: Context): StructuralSchema {
  if (structuralExtensions.get(node as unknown as z.ZodType)?.preserveUnknownFields) return {};
  throw new NotStructuralError(
    path,
    "accepts anything",
    "say what it is, or register preserveUnknownFields to keep it unchecked",
  );
}
