import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { kindSchema } from "../definition/custom-resource-definition.ts";
import { kinds } from "../kinds.ts";
import type { StructuralSchema } from "../structural/structural-schema.ts";
import { compareSchemas } from "./compare-schemas.ts";

type Case = [name: string, before: StructuralSchema, after: StructuralSchema, change: string | RegExp];

const inObject = (field: StructuralSchema, rest: StructuralSchema = {}): StructuralSchema => ({
  type: "object",
  properties: { field },
  ...rest,
});

const incompatible: Case[] = [
  ["a removed field", { type: "string" }, {}, "type changed from string to any"],
  ["another type", { type: "string" }, { type: "integer" }, "type changed from string to integer"],
  ["number narrowed to integer", { type: "number" }, { type: "integer" }, /type changed/],
  ["null forbidden", { type: "string", nullable: true }, { type: "string" }, /null/],
  [
    "a value removed",
    { type: "string", enum: ["a", "b"] },
    { type: "string", enum: ["a"] },
    'value "b" was removed',
  ],
  ["values limited", { type: "string" }, { type: "string", enum: ["a"] }, /limited to "a"/],
  [
    "a lower maximum",
    { type: "string", maxLength: 9 },
    { type: "string", maxLength: 8 },
    "maxLength was lowered from 9 to 8",
  ],
  ["a new maximum", { type: "array" }, { type: "array", maxItems: 8 }, "maxItems was lowered from none to 8"],
  [
    "a higher minimum",
    { type: "integer", minimum: -5 },
    { type: "integer", minimum: 0 },
    "minimum was raised from -5 to 0",
  ],
  ["a new minimum length", { type: "string" }, { type: "string", minLength: 1 }, /minLength was raised/],
  [
    "an exclusive bound",
    { type: "number", minimum: 0 },
    { type: "number", minimum: 0, exclusiveMinimum: true },
    /exclusiveMinimum/,
  ],
  ["a new pattern", { type: "string" }, { type: "string", pattern: "^a" }, "pattern changed from none to ^a"],
  ["another format", { type: "string" }, { type: "string", format: "date-time" }, /format changed/],
  [
    "another list type",
    { type: "array", "x-kubernetes-list-type": "set" },
    { type: "array", "x-kubernetes-list-type": "atomic" },
    /list-type/,
  ],
  [
    "unknown fields dropped",
    { type: "object", "x-kubernetes-preserve-unknown-fields": true },
    { type: "object" },
    /preserve-unknown/,
  ],
  [
    "another default",
    { type: "string", default: "a" },
    { type: "string", default: "b" },
    'default changed from "a" to "b"',
  ],
  ["a new default", { type: "string" }, { type: "string", default: "b" }, /default changed from none/],
  [
    "a new rule",
    { type: "string" },
    { type: "string", "x-kubernetes-validations": [{ rule: "self != ''", message: "no" }] },
    "rule was added: self != '' (no)",
  ],
];

const compatible: [string, StructuralSchema, StructuralSchema][] = [
  ["integer widened to number", { type: "integer" }, { type: "number" }],
  ["a new value", { type: "string", enum: ["a"] }, { type: "string", enum: ["a", "b"] }],
  ["a limit taken away", { type: "string", enum: ["a"] }, { type: "string" }],
  [
    "wider bounds",
    { type: "string", minLength: 2, maxLength: 3 },
    { type: "string", minLength: 1, maxLength: 4 },
  ],
  ["a pattern taken away", { type: "string", pattern: "a" }, { type: "string" }],
  ["another description", { type: "string", description: "a" }, { type: "string", description: "b" }],
  [
    "a rule taken away",
    { type: "string", "x-kubernetes-validations": [{ rule: "a", message: "b" }] },
    { type: "string" },
  ],
  [
    "another message",
    { type: "string", "x-kubernetes-validations": [{ rule: "a", message: "b" }] },
    { type: "string", "x-kubernetes-validations": [{ rule: "a", message: "c" }] },
  ],
];

describe("within a field", () => {
  it.each(incompatible)("reports %s", (_, before, after, change) => {
    const found = compareSchemas(inObject(before), inObject(after));
    expect(found).toHaveLength(1);
    expect(found[0]?.path).toBe("field");
    expect(found[0]?.change).toMatch(
      typeof change === "string" ? new RegExp(change.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")) : change,
    );
  });

  it.each(compatible)("accepts %s", (_, before, after) => {
    expect(compareSchemas(inObject(before), inObject(after))).toEqual([]);
  });

  it("looks into lists and maps", () => {
    const nested = (maxLength: number) =>
      inObject({
        type: "array",
        items: { type: "object", additionalProperties: { type: "string", maxLength } },
      });
    expect(compareSchemas(nested(5), nested(4)).map(({ path }) => path)).toEqual(["field[]{}"]);
  });
});

describe("fields of an object", () => {
  it("reports a removed field, not a field that any other may stand for", () => {
    expect(compareSchemas(inObject({ type: "string" }), { type: "object" })).toEqual([
      { path: "field", change: "field was removed" },
    ]);
    const open: StructuralSchema = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
    expect(compareSchemas(inObject({ type: "string" }), open)).toEqual([]);
  });

  it("reports a field that became required unless the server fills it in", () => {
    const after = (field: StructuralSchema) => inObject(field, { required: ["field"] });
    expect(compareSchemas({ type: "object" }, after({ type: "string" }))).toEqual([
      { path: "field", change: "field became required" },
    ]);
    expect(compareSchemas({ type: "object" }, after({ type: "string", default: "" }))).toEqual([]);
  });

  it("lets the shape of a field change while the field is refused, and lets it be switched on", () => {
    const refused: StructuralSchema = inObject(
      { type: "object", properties: { a: { type: "string" } } },
      { "x-kubernetes-validations": [{ rule: "!has(self.field)", message: "not yet supported" }] },
    );
    expect(compareSchemas(refused, inObject({ type: "array", maxItems: 3 }))).toEqual([]);
    expect(compareSchemas(inObject({ type: "string" }), refused)).not.toEqual([]);
    expect(compareSchemas({ type: "object" }, refused)).toEqual([]);
  });
});

describe("our own kinds", () => {
  const schemas = kinds.map((kind) => kindSchema(kind));

  it("are compatible with themselves", () => {
    for (const schema of schemas) expect(compareSchemas(schema, schema)).toEqual([]);
  });

  it("are incompatible once any field outside the refused ones is gone", () => {
    fc.assert(
      fc.property(fc.constantFrom(...schemas), fc.nat(), (schema, at) => {
        const changed = structuredClone(schema);
        const holders = objectsOf(changed);
        const holder = holders[at % holders.length];
        const names = Object.keys(holder?.properties ?? {});
        const name = names[at % names.length];
        if (holder?.properties === undefined || name === undefined) return;
        delete holder.properties[name];
        if (holder.required !== undefined)
          holder.required = holder.required.filter((field) => field !== name);
        expect(compareSchemas(schema, changed).some(({ change }) => change === "field was removed")).toBe(
          true,
        );
      }),
    );
  });
});

/** Every object with named fields that somebody can have set. */
function objectsOf(schema: StructuralSchema): StructuralSchema[] {
  const refused = new Set(
    (schema["x-kubernetes-validations"] ?? []).flatMap(
      ({ rule }) => /^!has\(self\.(\w+)\)$/.exec(rule)?.[1] ?? [],
    ),
  );
  const children = [
    ...Object.entries(schema.properties ?? {}).flatMap(([name, child]) => (refused.has(name) ? [] : [child])),
    ...(schema.items === undefined ? [] : [schema.items]),
  ];
  const own = schema.properties !== undefined && refused.size === 0 ? [schema] : [];
  return [...own, ...children.flatMap(objectsOf)];
}
