import { describe, expect, it } from "vitest";
import { escapeFieldName } from "./field-names.ts";
import { celTypesFromSchema, type OpenApiSchema } from "./schema-types.ts";

const fieldsOf = (schema: OpenApiSchema, name: string, schemas: Record<string, OpenApiSchema> = {}) => {
  const types = celTypesFromSchema("Thing", schema, (ref) => schemas[ref]);
  if (types === undefined) throw new Error("no type");
  // As a checker does: from the root down.
  types.provider.findType("Thing");
  const fields = types.provider.findType(name)?.fields ?? new Map();
  return Object.fromEntries([...fields].map(([field, type]) => [field, String(type)]));
};

describe("types of a schema", () => {
  it("follow its types and formats, and leave out what has none", () => {
    const schema: OpenApiSchema = {
      type: "object",
      properties: {
        kind: { type: "string" },
        count: { type: "integer" },
        ratio: { type: "number" },
        port: { "x-kubernetes-int-or-string": true },
        surge: { format: "int-or-string" },
        data: { type: "string", format: "byte" },
        at: { type: "string", format: "date-time" },
        list: { type: "array", items: { type: "object", properties: { a: { type: "boolean" } } } },
        map: { type: "object", additionalProperties: { type: "string" } },
        unknown: {},
        untyped: { type: "array" },
        namespace: { type: "string" },
        "x-y": { type: "string" },
        "a b": { type: "string" },
      },
    };
    expect(fieldsOf(schema, "Thing")).toEqual({
      kind: "string",
      apiVersion: "string",
      metadata: "Thing.metadata",
      count: "int",
      ratio: "double",
      port: "dyn",
      surge: "dyn",
      data: "bytes",
      at: "google.protobuf.Timestamp",
      list: "list(Thing.list.@idx)",
      map: "map(string, string)",
      namespace: "string",
      __namespace__: "string",
      x__dash__y: "string",
    });
    expect(fieldsOf(schema, "Thing.metadata")).toEqual({ name: "string", generateName: "string" });
  });

  it("follow references, also wrapped ones, and end where one comes back to itself", () => {
    const schemas: Record<string, OpenApiSchema> = {
      node: { type: "object", properties: { next: { allOf: [{ $ref: "node" }] }, name: { type: "string" } } },
    };
    const schema = { type: "object", properties: { first: { $ref: "node" }, lost: { $ref: "nowhere" } } };
    expect(fieldsOf(schema, "Thing", schemas)).toMatchObject({ first: "Thing.first" });
    expect(fieldsOf(schema, "Thing", schemas)).not.toHaveProperty("lost");
  });

  it("do not run away with a deeply nested schema", () => {
    let schema: OpenApiSchema = { type: "string" };
    for (let depth = 0; depth < 5000; depth++) schema = { type: "array", items: schema };
    expect(celTypesFromSchema("Thing", schema, () => undefined)?.type.kind).toBe("list");
  });
});

describe("a property's name in expressions", () => {
  it("is escaped where it would not be read as one name", () => {
    expect(escapeFieldName("plain")).toBe("plain");
    expect(escapeFieldName("a.b/c-d")).toBe("a__dot__b__slash__c__dash__d");
    expect(escapeFieldName("a__b")).toBe("a__underscores__b");
    expect(escapeFieldName("in")).toBe("__in__");
    expect(escapeFieldName("1a")).toBeUndefined();
    expect(escapeFieldName("ü")).toBeUndefined();
  });
});
