import { describe, expect, it } from "vitest";
import type { OpenApiSchema } from "./schema-types.ts";
import { type KindSchema, typeCheckCelRules } from "./type-check.ts";

const metadata: OpenApiSchema = {
  type: "object",
  properties: { name: { type: "string" }, generateName: { type: "string" }, namespace: { type: "string" } },
};

function kind(name: string, spec: OpenApiSchema): KindSchema {
  return {
    group: "apps",
    version: "v1",
    kind: name,
    resolve: (ref) => (ref === "meta" ? metadata : undefined),
    schema: {
      type: "object",
      properties: {
        kind: { type: "string" },
        apiVersion: { type: "string" },
        metadata: { allOf: [{ $ref: "meta" }] },
        spec,
      },
    },
  };
}

const deployment = kind("Deployment", { type: "object", properties: { replicas: { type: "integer" } } });
const daemonSet = kind("DaemonSet", { type: "object", properties: { paused: { type: "boolean" } } });

describe("warnings about expressions", () => {
  it("tell, for each kind, what does not fit it", () => {
    const spec = {
      validations: [
        { expression: "object.spec.replicas > 1", messageExpression: "'x' + object.metadata.namespace" },
        { expression: "object.spec.replicas == 'one'" },
        { expression: "oldObject.metadata.name == object.metadata.name" },
      ],
    };
    expect(typeCheckCelRules(spec, [deployment, daemonSet])).toEqual([
      {
        fieldRef: "spec.validations[0].expression",
        warning:
          "apps/v1, Kind=DaemonSet: ERROR: <input>:1:12: undefined field 'replicas'\n" +
          " | object.spec.replicas > 1\n | ...........^\n",
      },
      {
        fieldRef: "spec.validations[1].expression",
        warning:
          "apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_==_' applied to '(int, string)'\n" +
          " | object.spec.replicas == 'one'\n | .....................^\n\n" +
          "apps/v1, Kind=DaemonSet: ERROR: <input>:1:12: undefined field 'replicas'\n" +
          " | object.spec.replicas == 'one'\n | ...........^\n",
      },
    ]);
  });

  it("follow types through variables, and take one that does not fit for unknown", () => {
    const spec = {
      variables: [
        { name: "count", expression: "object.spec.replicas" },
        { name: "broken", expression: "object.spec.nothing" },
      ],
      validations: [{ expression: "variables.count == true" }, { expression: "variables.broken == true" }],
    };
    expect(typeCheckCelRules(spec, [deployment]).map(({ fieldRef }) => fieldRef)).toEqual([
      "spec.validations[0].expression",
    ]);
  });

  it("type params when their schema is known", () => {
    const spec = {
      paramKind: { apiVersion: "apps/v1", kind: "DaemonSet" },
      validations: [{ expression: "params.spec.replicas == 1" }],
    };
    expect(typeCheckCelRules(spec, [deployment])).toEqual([]);
    expect(typeCheckCelRules(spec, [deployment], daemonSet)).toHaveLength(1);
  });

  it("say nothing without kinds to check against", () => {
    expect(typeCheckCelRules({ validations: [{ expression: "object.x.y == 1" }] }, [])).toEqual([]);
  });
});
