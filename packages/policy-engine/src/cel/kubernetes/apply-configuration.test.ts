import { describe, expect, it } from "vitest";
import { mergeApplyConfiguration } from "./apply-configuration.ts";
import { evaluate } from "./evaluate.test-kit.ts";
import type { JsonRecord } from "./json.ts";
import { applyConfigurationOf } from "./patch-values.ts";
import { schemaAtom } from "./structural-schema.ts";

const schemas: Record<string, JsonRecord> = {
  Pod: {
    type: "object",
    properties: {
      apiVersion: { type: "string" },
      kind: { type: "string" },
      metadata: {
        type: "object",
        properties: {
          labels: { type: "object", additionalProperties: { type: "string" } },
          finalizers: { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "set" },
        },
      },
      spec: { allOf: [{ $ref: "#/components/schemas/Spec" }], default: {} },
    },
  },
  Spec: {
    type: "object",
    properties: {
      containers: {
        type: "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        items: { $ref: "#/components/schemas/Container" },
      },
      nodeSelector: {
        type: "object",
        "x-kubernetes-map-type": "atomic",
        additionalProperties: { type: "string" },
      },
      replicas: { type: "integer" },
    },
  },
  Container: {
    type: "object",
    properties: {
      name: { type: "string" },
      image: { type: "string" },
      args: { type: "array", items: { type: "string" } },
      ports: {
        type: "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["containerPort", "protocol"],
        items: {
          type: "object",
          properties: {
            containerPort: { type: "integer" },
            protocol: { type: "string", default: "TCP" },
            name: { type: "string" },
          },
        },
      },
    },
  },
};
const podType = schemaAtom(schemas.Pod!, (ref) => schemas[ref.slice(ref.lastIndexOf("/") + 1)]);

const pod = (spec: JsonRecord, metadata: JsonRecord = {}): JsonRecord => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata,
  spec,
});
const apply = (object: JsonRecord, expression: string) =>
  mergeApplyConfiguration(object, applyConfigurationOf(evaluate(expression)), podType);

describe("mergeApplyConfiguration", () => {
  it("merges maps by key, lists by their keys, sets by value", () => {
    const object = pod(
      { containers: [{ name: "a", image: "i", ports: [{ containerPort: 80 }] }, { name: "b" }] },
      { labels: { x: "1" }, finalizers: ["f"] },
    );
    const before = structuredClone(object);
    expect(
      apply(
        object,
        `Object{
           metadata: Object.metadata{labels: {'y': '2'}, finalizers: ['g', 'f']},
           spec: Object.spec{containers: [
             Object.spec.containers{name: 'new'},
             Object.spec.containers{name: 'a', ports: [Object.spec.containers.ports{containerPort: 80, protocol: 'TCP', name: 'web'}]}]}}`,
      ),
    ).toEqual(
      pod(
        {
          containers: [
            { name: "new" },
            { name: "a", image: "i", ports: [{ containerPort: 80, protocol: "TCP", name: "web" }] },
            { name: "b" },
          ],
        },
        { labels: { x: "1", y: "2" }, finalizers: ["g", "f"] },
      ),
    );
    expect(object).toEqual(before);
  });

  it("refuses to set what is atomic", () => {
    expect(() =>
      apply(
        pod({}),
        "Object{spec: Object.spec{nodeSelector: {'a': 'b'}, containers: [Object.spec.containers{name: 'a', args: ['x']}]}}",
      ),
    ).toThrow(
      "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.nodeSelector, .spec.containers[0].args",
    );
  });

  it("refuses what does not fit the schema", () => {
    const failure = (expression: string) => () => apply(pod({}), expression);
    expect(failure("Object{spec: Object.spec{wrong: 1}}")).toThrow(
      "error applying patch: failed to convert patch object to typed object: .spec.wrong: field not declared in schema",
    );
    expect(failure("Object{spec: Object.spec{replicas: 'x'}}")).toThrow(
      ".spec.replicas: expected numeric (int or float), got string",
    );
    expect(failure("Object{spec: Object.spec{containers: [Object.spec.containers{image: 'x'}]}}")).toThrow(
      '.spec.containers: element 0: associative list with keys has an element that omits all key fields ["name"]',
    );
    expect(
      failure(
        "Object{spec: Object.spec{containers: [Object.spec.containers{name: 'a'}, Object.spec.containers{name: 'a'}]}}",
      ),
    ).toThrow('.spec.containers: duplicate entries for key [name="a"]');
  });

  it("refuses objects whose type is not that of their place", () => {
    expect(() => applyConfigurationOf(evaluate("Object{spec: Object.status{}}"))).toThrow(
      'type mismatch: unexpected type name "Object.status", expected "Object.spec"',
    );
    expect(() => applyConfigurationOf(evaluate("{'a': 1}"))).toThrow("unsupported return type");
  });

  it("merges maps and replaces lists where nothing is known of the type", () => {
    const object = { apiVersion: "x/v1", kind: "X", spec: { a: { b: 1 }, list: [1, 2] } };
    expect(mergeApplyConfiguration(object, { kind: "Other", spec: { a: { c: 2 }, list: [3] } })).toEqual({
      apiVersion: "x/v1",
      kind: "X",
      spec: { a: { b: 1, c: 2 }, list: [3] },
    });
  });

  it("takes __proto__ for a key like others", () => {
    const configuration = JSON.parse('{"__proto__": {"polluted": true}}') as JsonRecord;
    expect(JSON.stringify(mergeApplyConfiguration({}, configuration))).toBe(
      '{"__proto__":{"polluted":true}}',
    );
    expect({}).not.toHaveProperty("polluted");
  });
});
