import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { KubeObject } from "../kubernetes/objects.ts";
import { ApplyMemory } from "./apply-memory.ts";
import { differenceFromApplied } from "./fields-v1.ts";

/** A value with the structure the server knows from the schema: how each list and map is owned. */
type Shape =
  | { is: "scalar"; value: string | number | boolean }
  | { is: "atomic"; value: unknown }
  | { is: "fields"; fields: Record<string, Shape> }
  | { is: "keyed"; items: { name: string; fields: Record<string, Shape> }[] }
  | { is: "set"; values: string[] };

const fieldName = fc.constantFrom("alpha", "beta", "gamma", "delta", "f:odd", "name.with/dots");
const scalar = fc.oneof(fc.string({ maxLength: 6 }), fc.integer(), fc.boolean());

const { shape } = fc.letrec<{ shape: Shape }>((tie) => {
  const fields = fc.dictionary(fieldName, tie("shape"), { minKeys: 1, maxKeys: 4 });
  const branch: fc.Arbitrary<Shape> = fc.oneof(
    fields.map((of): Shape => ({ is: "fields", fields: of })),
    fc
      .uniqueArray(fc.record({ name: fc.string({ minLength: 1, maxLength: 4 }), fields }), {
        selector: (item) => item.name,
        minLength: 1,
        maxLength: 4,
      })
      .map((items): Shape => ({ is: "keyed", items })),
    fc
      .uniqueArray(fc.string({ maxLength: 4 }), { minLength: 1, maxLength: 4 })
      .map((values): Shape => ({ is: "set", values })),
  );
  const leaf: fc.Arbitrary<Shape> = fc.oneof(
    scalar.map((value): Shape => ({ is: "scalar", value })),
    fc
      .oneof(fc.array(scalar, { maxLength: 3 }), fc.dictionary(fieldName, scalar, { maxKeys: 3 }))
      .map((value): Shape => ({ is: "atomic", value })),
  );
  return { shape: fc.oneof({ maxDepth: 4, withCrossShrink: true }, leaf, branch) };
});
const spec = fc
  .dictionary(fieldName, shape, { minKeys: 1, maxKeys: 4 })
  .map((fields): Shape => ({ is: "fields", fields }));

function jsonOf(of: Shape): unknown {
  switch (of.is) {
    case "fields":
      return Object.fromEntries(Object.entries(of.fields).map(([name, below]) => [name, jsonOf(below)]));
    case "keyed":
      return of.items.map((item) => ({
        ...(jsonOf({ is: "fields", fields: item.fields }) as object),
        name: item.name,
      }));
    case "set":
      return of.values;
    default:
      return of.value;
  }
}

/** What the server would say its applier owns (KEP-555's fieldsV1). */
function ownedBy(of: Shape): Record<string, unknown> {
  switch (of.is) {
    case "fields":
      return Object.fromEntries(
        Object.entries(of.fields).map(([name, below]) => [`f:${name}`, ownedBy(below)]),
      );
    case "keyed":
      return Object.fromEntries(
        of.items.map((item) => [
          `k:${JSON.stringify({ name: item.name })}`,
          { ".": {}, ...ownedBy({ is: "fields", fields: item.fields }), "f:name": {} },
        ]),
      );
    case "set":
      return Object.fromEntries(of.values.map((value) => [`v:${JSON.stringify(value)}`, {}]));
    default:
      return {};
  }
}

/** The object with what other managers and the server's defaults add to granular maps and lists. */
function withOthers(of: Shape): unknown {
  const value = jsonOf(of);
  if (of.is === "fields") {
    const below = Object.entries(of.fields).map(([name, field]) => [name, withOthers(field)]);
    return { ...Object.fromEntries(below), somebodyElses: { a: 1 } };
  }
  if (of.is === "keyed") {
    const items = of.items.map((item) => ({
      ...(withOthers({ is: "fields", fields: item.fields }) as object),
      name: item.name,
    }));
    return [{ name: "somebody else's item" }, ...items];
  }
  return of.is === "set" ? ["somebody else's value", ...of.values] : value;
}

const desiredOf = (of: Shape): KubeObject => ({
  apiVersion: "v1",
  kind: "Model",
  metadata: { name: "a" },
  spec: jsonOf(of),
});
const currentOf = (of: Shape, extra = false): KubeObject => ({
  apiVersion: "v1",
  kind: "Model",
  metadata: {
    name: "a",
    uid: "u",
    resourceVersion: "7",
    managedFields: [
      { manager: "kubectl", operation: "Update", apiVersion: "v1", fieldsV1: {} },
      { manager: "me", operation: "Apply", apiVersion: "v1", fieldsV1: { "f:spec": ownedBy(of) } },
    ],
  },
  spec: extra ? withOthers(of) : jsonOf(of),
});

/** Every object one leaf, field or element away. */
function neighbours(value: unknown): unknown[] {
  if (Array.isArray(value)) {
    return [
      ...value.map((_, at) => value.toSpliced(at, 1)),
      ...value.flatMap((item, at) => neighbours(item).map((other) => value.with(at, other))),
      [...value, "one more"],
    ];
  }
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value);
    return [
      ...entries.map((_, at) => Object.fromEntries(entries.toSpliced(at, 1))),
      ...entries.flatMap(([name, item], at) =>
        neighbours(item).map((other) => Object.fromEntries(entries.with(at, [name, other]))),
      ),
      { ...value, oneMore: 1 },
    ];
  }
  return [typeof value === "string" ? `${value}!` : "changed"];
}

describe("differenceFromApplied", () => {
  it("finds none when everything desired is there and ours, whatever others added", () => {
    fc.assert(
      fc.property(spec, fc.boolean(), (of, extra) => {
        expect(differenceFromApplied(currentOf(of, extra), desiredOf(of), "me")).toBeUndefined();
      }),
      { numRuns: 1_000 },
    );
  });

  it("finds one for every desired object a single change away", () => {
    fc.assert(
      fc.property(spec, (of) => {
        for (const other of neighbours(jsonOf(of))) {
          const desired = { ...desiredOf(of), spec: other };
          expect(differenceFromApplied(currentOf(of), desired, "me"), JSON.stringify(other)).toBeTypeOf(
            "string",
          );
        }
      }),
      { numRuns: 300 },
    );
  }, 120_000);

  it("finds one when somebody changed a value of ours, or took it over", () => {
    fc.assert(
      fc.property(spec, (of) => {
        const current = currentOf(of);
        for (const other of neighbours(jsonOf(of))) {
          const isRemovalOrChange = JSON.stringify(other).length <= JSON.stringify(jsonOf(of)).length + 1;
          if (!isRemovalOrChange || JSON.stringify(other).includes("oneMore")) continue;
          if (JSON.stringify(other).includes("one more")) continue;
          expect(differenceFromApplied({ ...current, spec: other }, desiredOf(of), "me")).toBeTypeOf(
            "string",
          );
        }
        const bare = structuredClone(current);
        Object.assign(bare.metadata.managedFields?.[1] ?? {}, { fieldsV1: {} });
        expect(differenceFromApplied(bare, desiredOf(of), "me")).toBe(".spec: not owned yet");
      }),
      { numRuns: 300 },
    );
  }, 120_000);

  it("does not take another manager's, another operation's or another subresource's entry for ours", () => {
    const of: Shape = { is: "fields", fields: { alpha: { is: "scalar", value: 1 } } };
    expect(differenceFromApplied(currentOf(of), desiredOf(of), "you")).toMatch(/nothing was applied/);
    expect(differenceFromApplied(currentOf(of), desiredOf(of), "kubectl")).toMatch(/nothing was applied/);
    expect(differenceFromApplied(currentOf(of), desiredOf(of), "me", "status")).toMatch(
      /nothing was applied/,
    );
  });

  it("names the path of the first difference", () => {
    const current = currentOf({
      is: "fields",
      fields: {
        alpha: { is: "keyed", items: [{ name: "x", fields: { beta: { is: "scalar", value: 1 } } }] },
      },
    });
    const desired = { ...desiredOf({ is: "fields", fields: {} }), spec: { alpha: [{ name: "x", beta: 2 }] } };
    expect(differenceFromApplied(current, desired, "me")).toBe(
      '.spec.alpha[k:{"name":"x"}].beta: another value',
    );
  });

  it("sees a reordered keyed list, a demanded resourceVersion, another uid and another version", () => {
    const keyed: Shape = {
      is: "fields",
      fields: {
        alpha: {
          is: "keyed",
          items: ["x", "y"].map((name) => ({ name, fields: { beta: { is: "scalar" as const, value: 1 } } })),
        },
      },
    };
    const reordered = {
      ...desiredOf(keyed),
      spec: {
        alpha: [
          { name: "y", beta: 1 },
          { name: "x", beta: 1 },
        ],
      },
    };
    expect(differenceFromApplied(currentOf(keyed), reordered, "me")).toMatch(/another order/);
    const desired = desiredOf(keyed);
    expect(
      differenceFromApplied(
        currentOf(keyed),
        { ...desired, metadata: { name: "a", resourceVersion: "7" } },
        "me",
      ),
    ).toMatch(/resourceVersion/);
    expect(
      differenceFromApplied(currentOf(keyed), { ...desired, metadata: { name: "a", uid: "v" } }, "me"),
    ).toMatch(/uid/);
    expect(differenceFromApplied(currentOf(keyed), { ...desired, apiVersion: "v2" }, "me")).toMatch(
      /last applied as/,
    );
  });
});

describe("ApplyMemory", () => {
  const of: Shape = { is: "fields", fields: { alpha: { is: "scalar", value: 1 } } };
  const object = (uid: string): KubeObject => ({
    ...currentOf(of),
    metadata: { ...currentOf(of).metadata, uid },
  });

  it("knows an apply again until the desired object or what we own changes", () => {
    const memory = new ApplyMemory();
    memory.remember(object("u"), desiredOf(of), "me");
    expect(memory.isApplied(object("u"), desiredOf(of), "me")).toBe(true);
    expect(memory.isApplied(object("u"), { ...desiredOf(of), spec: {} }, "me")).toBe(false);
    expect(memory.isApplied(object("v"), desiredOf(of), "me")).toBe(false);
    const taken = currentOf({ is: "fields", fields: {} });
    expect(memory.isApplied(taken, desiredOf(of), "me")).toBe(false);
  });

  it("forgets the least recently used beyond its capacity", () => {
    const memory = new ApplyMemory(3);
    for (const uid of ["a", "b", "c"]) memory.remember(object(uid), desiredOf(of), "me");
    memory.isApplied(object("a"), desiredOf(of), "me");
    for (let uid = 0; uid < 2; uid++) memory.remember(object(String(uid)), desiredOf(of), "me");
    expect(memory.size).toBe(3);
    expect(memory.isApplied(object("a"), desiredOf(of), "me")).toBe(true);
    expect(memory.isApplied(object("b"), desiredOf(of), "me")).toBe(false);
  });
});
