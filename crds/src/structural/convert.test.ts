import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { toStructural } from "./convert.ts";
import { NotStructuralError } from "./errors.ts";
import {
  anyObject,
  atomicList,
  mapList,
  mapOf,
  setOf,
  structuralExtensions,
  text,
  timestamp,
  wholeNumber,
} from "./fields.ts";
import { rule } from "./server-check.ts";
import type { StructuralSchema } from "./structural-schema.ts";

const loose = { requireBounds: false, requireDescriptions: false };
const convert = (schema: z.ZodType) => toStructural(schema, loose);

describe("scalars", () => {
  it.each<[string, z.ZodType, StructuralSchema]>([
    ["string", z.string(), { type: "string" }],
    ["bounded string", text({ min: 1, max: 9 }), { type: "string", minLength: 1, maxLength: 9 }],
    ["zod's own bounds", z.string().min(2).max(3), { type: "string", minLength: 2, maxLength: 3 }],
    ["pattern", text({ max: 9, pattern: /^a\/b$/ }), { type: "string", maxLength: 9, pattern: "^a/b$" }],
    ["boolean", z.boolean(), { type: "boolean" }],
    ["number", z.number(), { type: "number" }],
    [
      "exclusive bounds",
      z.number().gt(0).lt(1),
      { type: "number", minimum: 0, maximum: 1, exclusiveMinimum: true, exclusiveMaximum: true },
    ],
    ["multiple", z.number().multipleOf(5), { type: "number", multipleOf: 5 }],
    ["32 bit", z.int32().min(0).max(9), { type: "integer", format: "int32", minimum: 0, maximum: 9 }],
    [
      "whole number",
      wholeNumber({ min: 0, max: 9 }),
      { type: "integer", format: "int64", minimum: 0, maximum: 9 },
    ],
    ["enum", z.enum(["a", "off"]), { type: "string", enum: ["a", "off"] }],
    ["literal", z.literal("a"), { type: "string", enum: ["a"] }],
    ["literals", z.literal([1, 2]), { type: "integer", enum: [1, 2] }],
    ["int or string", z.union([z.int(), z.string()]), { "x-kubernetes-int-or-string": true }],
    ["nullable", z.string().nullable(), { type: "string", nullable: true }],
    ["readonly", z.string().readonly(), { type: "string" }],
    ["default", z.string().default("a"), { type: "string", default: "a" }],
    [
      "default of an object",
      z.object({ a: z.string() }).default({ a: "b" }),
      { type: "object", properties: { a: { type: "string" } }, required: ["a"], default: { a: "b" } },
    ],
  ])("%s", (_, schema, expected) => {
    expect(convert(schema)).toEqual(expected);
  });

  it("marks a point in time as such", () => {
    expect(convert(timestamp())).toMatchObject({ type: "string", format: "date-time" });
  });
});

describe("objects, lists and maps", () => {
  it("requires what is neither optional nor filled in", () => {
    const schema = z.object({
      a: z.string(),
      b: z.string().exactOptional(),
      c: z.string().default("x"),
      d: z.string().optional(),
    });
    expect(convert(schema).required).toEqual(["a"]);
  });

  it("never closes an object, since a CRD prunes instead", () => {
    expect(convert(z.strictObject({ a: z.string() }))).not.toHaveProperty("additionalProperties");
  });

  it("keeps unknown fields only where the schema says so", () => {
    expect(convert(z.looseObject({ a: z.string() }))).toMatchObject({
      "x-kubernetes-preserve-unknown-fields": true,
    });
    expect(convert(anyObject())).toEqual({ type: "object", "x-kubernetes-preserve-unknown-fields": true });
  });

  it("writes the three list types", () => {
    expect(convert(atomicList(z.string(), { min: 1, max: 2 }))).toEqual({
      type: "array",
      items: { type: "string" },
      minItems: 1,
      maxItems: 2,
      "x-kubernetes-list-type": "atomic",
    });
    expect(convert(setOf(z.string(), { max: 2 }))).toMatchObject({ "x-kubernetes-list-type": "set" });
    expect(convert(mapList(z.object({ name: z.string() }), { max: 2, keys: ["name"] }))).toMatchObject({
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
    });
  });

  it("writes maps with a bound", () => {
    expect(convert(mapOf(z.string(), { min: 1, max: 3 }))).toEqual({
      type: "object",
      additionalProperties: { type: "string" },
      minProperties: 1,
      maxProperties: 3,
    });
  });

  it("keeps extensions through describe and optional", () => {
    const list = atomicList(z.string(), { max: 1 }).describe("a list").exactOptional();
    const schema = z.object({
      list,
      object: z.object({}).register(structuralExtensions, { mapType: "atomic" }),
    });
    expect(convert(schema).properties).toMatchObject({
      list: { "x-kubernetes-list-type": "atomic", description: "a list" },
      object: { "x-kubernetes-map-type": "atomic" },
    });
  });

  it("carries rules of every level, in order", () => {
    const holds = () => true;
    const schema = z
      .object({ a: z.string().check(rule<string>({ rule: "inner", message: "i", holds })) })
      .check(rule<object>({ rule: "first", message: "f", holds }))
      .check(
        rule<object>({ rule: "second", message: "s", fieldPath: ".a", reason: "FieldValueRequired", holds }),
      );
    const converted = convert(schema);
    expect(converted["x-kubernetes-validations"]).toEqual([
      { rule: "first", message: "f" },
      { rule: "second", message: "s", fieldPath: ".a", reason: "FieldValueRequired" },
    ]);
    expect(converted.properties?.a?.["x-kubernetes-validations"]).toEqual([{ rule: "inner", message: "i" }]);
  });
});

describe("what cannot be structural is refused by name, with a way out", () => {
  const at = (field: z.ZodType) => z.object({ outer: z.object({ field }) });

  it.each<[string, z.ZodType, RegExp]>([
    [
      "union of objects",
      z.union([z.object({}), z.string()]),
      /is a union; use one optional field per variant/,
    ],
    ["discriminated union", z.discriminatedUnion("a", [z.object({ a: z.literal("b") })]), /union/],
    ["intersection", z.intersection(z.object({}), z.object({})), /spread the shapes/],
    ["recursion", z.lazy(() => z.string()), /cannot recurse/],
    ["transform", z.string().transform(Number), /cannot run it/],
    ["catch", z.string().catch(""), /cannot run it/],
    ["date", z.date(), /use timestamp/],
    ["bigint", z.bigint(), /use wholeNumber/],
    ["tuple", z.tuple([z.string()]), /list or a map/],
    ["set", z.set(z.string()), /list or a map/],
    ["undefined", z.undefined(), /describe it with strings/],
    ["anything", z.unknown(), /accepts anything/],
    ["mixed enum", z.literal(["a", 1]), /different types/],
    ["null literal", z.literal(null), /different types/],
    ["refinement", z.string().refine(() => true), /runs only in TypeScript; write it with rule/],
    ["string format", z.email(), /format "email"/],
    ["zod's date format", z.iso.datetime(), /use timestamp/],
    ["lookahead", z.string().regex(/(?=a)/), /lookaround/],
    ["back reference", z.string().regex(/(a)\1/), /back references/],
    ["flags", z.string().regex(/a/i), /flags "i"/],
    ["dot", z.string().regex(/^.$/), /'\.' stops at other line ends/],
    ["blanks", z.string().regex(/\s/), /blanks/],
    ["two patterns", z.string().regex(/a/).regex(/b/), /two patterns/],
    ["bare list", z.array(z.string()), /server-side apply merges/],
    ["keys of a map", z.record(z.enum(["a"]), z.string()), /restricts the keys/],
    ["typed catchall", z.object({}).catchall(z.string()), /typed catchall/],
    [
      "absent list key",
      mapList(z.object({ name: z.string().optional() }), { max: 1, keys: ["name"] }),
      /list map key and may be absent/,
    ],
  ])("%s", (_, field, problem) => {
    const attempt = () => convert(at(field));
    expect(attempt).toThrow(NotStructuralError);
    expect(attempt).toThrow(problem);
    expect(attempt).toThrow(/^outer\.field/);
  });

  it.each<[string, z.ZodType]>([
    ["string", z.string().describe("a")],
    [
      "list",
      z.array(z.boolean().describe("a")).register(structuralExtensions, { listType: "atomic" }).describe("a"),
    ],
    ["map", z.record(z.string(), z.boolean().describe("a")).describe("a")],
  ])("%s without a bound", (_, field) => {
    expect(() => toStructural(z.object({ field }))).toThrow(/without a maximum/);
  });

  it("field without a description", () => {
    expect(() => toStructural(z.object({ field: z.boolean() }))).toThrow(/field: has no description/);
  });
});

describe("the converted schema and zod", () => {
  /** A tiny validator of the keywords the converter writes, independent of zod. */
  function accepts(schema: StructuralSchema, value: unknown): boolean {
    if (schema.enum !== undefined) return schema.enum.includes(value as never);
    switch (schema.type) {
      case "string":
        return (
          typeof value === "string" &&
          [...value].length <= (schema.maxLength ?? 1e9) &&
          [...value].length >= (schema.minLength ?? 0)
        );
      case "integer":
        return (
          Number.isInteger(value) &&
          Number(value) >= (schema.minimum ?? -1e9) &&
          Number(value) <= (schema.maximum ?? 1e9)
        );
      case "boolean":
        return typeof value === "boolean";
      case "array": {
        if (!Array.isArray(value) || value.length > (schema.maxItems ?? 1e9)) return false;
        const isDistinct = schema["x-kubernetes-list-type"] !== "set" || new Set(value).size === value.length;
        return isDistinct && value.every((item) => accepts(schema.items ?? {}, item));
      }
      default: {
        if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
        const own = value as Record<string, unknown>;
        if ((schema.required ?? []).some((name) => own[name] === undefined)) return false;
        return Object.entries(schema.properties ?? {}).every(
          ([name, child]) => own[name] === undefined || accepts(child, own[name]),
        );
      }
    }
  }

  const leaf: fc.Arbitrary<z.ZodType> = fc.oneof(
    fc.tuple(fc.nat(3), fc.nat(5)).map(([min, more]) => text({ min, max: min + more })),
    fc
      .tuple(fc.integer({ min: -3, max: 3 }), fc.nat(4))
      .map(([min, more]) => wholeNumber({ min, max: min + more })),
    fc.constant(z.boolean()),
    fc.constant(z.enum(["a", "b"])),
    fc.nat(3).map((max) => setOf(z.enum(["a", "b", "c"]), { max })),
  );
  const value = fc.jsonValue({ maxDepth: 2 });

  it("agree on which values are right", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom("a", "b", "c"), fc.tuple(leaf, fc.boolean())),
        fc.oneof(
          value,
          fc.dictionary(
            fc.constantFrom("a", "b", "c"),
            fc.oneof(
              fc.integer({ min: -4, max: 8 }),
              fc.string({ maxLength: 8, unit: "grapheme" }),
              fc.constantFrom("a", "b"),
              fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 4 }),
              fc.boolean(),
            ),
          ),
        ),
        (fields, candidate) => {
          const schema = z.object(
            Object.fromEntries(
              Object.entries(fields).map(([name, [field, optional]]) => [
                name,
                optional ? field.exactOptional() : field,
              ]),
            ),
          );
          expect(accepts(convert(schema), candidate)).toBe(schema.safeParse(candidate).success);
        },
      ),
      { numRuns: 500 },
    );
  });
});
