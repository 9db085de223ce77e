import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PolicyCompileError } from "../policy-set/errors.ts";
import { compileGenerator } from "./generator.ts";

const never = () => false;
/** As a template has it. */
const cel = (expression: string): string => `\${${expression}}`;
const quota = (spec: unknown, metadata: unknown = { name: "team" }) => ({
  apiVersion: "v1",
  kind: "ResourceQuota",
  metadata,
  spec,
});
const spec = (...objects: unknown[]) =>
  ({
    namespaceSelector: { matchLabels: { tenant: "yes" } },
    objects: objects.map((object, index) => ({ name: `o${index}`, object, synchronize: true })),
  }) as Parameters<typeof compileGenerator>[0];
const namespace = {
  metadata: { name: "a", labels: { tenant: "yes", size: "3" }, annotations: { pods: "7" } },
};
const render = (object: unknown, more: object = {}) =>
  compileGenerator({ ...spec(object), ...more }).render(namespace, never)[0];
const refusal = (...objects: unknown[]): string => {
  try {
    compileGenerator(spec(...objects));
  } catch (error) {
    if (error instanceof PolicyCompileError) return error.message;
    throw error;
  }
  return "";
};

describe("a generator's objects", () => {
  it("have expressions where a string is one from end to end, with values of any type", () => {
    const text = `echo ${cel("HOME")} now`;
    const hard = {
      pods: cel("namespaceObject.metadata.annotations['pods']"),
      services: cel("int(namespaceObject.metadata.labels['size']) * 2"),
      list: cel("['a', 'b'].map(x, x + '1')"),
      text,
      dollar: cel(`'${cel("HOME")}'`),
    };
    expect(render(quota({ hard }))?.object?.spec).toEqual({
      hard: { pods: "7", services: 6, list: ["a1", "b1"], text, dollar: cel("HOME") },
    });
  });

  it("use variables", () => {
    const variables = [
      { name: "n", expression: "int(namespaceObject.metadata.labels['size'])" },
      { name: "twice", expression: "variables.n * 2" },
    ];
    expect(render(quota({ hard: { pods: cel("variables.twice") } }), { variables })?.object?.spec).toEqual({
      hard: { pods: 6 },
    });
  });

  it("are told apart by where a value is lacking, one from the other", () => {
    const missing = quota({ hard: { pods: cel("namespaceObject.metadata.annotations['none']") } });
    const rendered = compileGenerator(spec(missing, quota({}, { name: "other" }))).render(namespace, never);
    expect(rendered[0]).toMatchObject({ object: undefined, objectName: "team" });
    expect(rendered[0]?.problem).toContain("spec.objects[0].object.spec.hard.pods: ");
    expect(rendered[1]?.object).toBeDefined();
  });

  it("keep every key as it is, whatever it is called", () => {
    const data = JSON.parse('{"__proto__": {"polluted": "yes"}, "constructor": "x"}') as object;
    const object = render(quota(data))?.object?.spec as object;
    expect(JSON.stringify(object)).toBe(JSON.stringify(data));
    expect(({} as { polluted?: string }).polluted).toBeUndefined();
  });

  it("come out as they went in where nothing is an expression", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const object = quota({ value });
        if (JSON.stringify(object).includes('"$')) return;
        expect(JSON.stringify(render(object)?.object)).toBe(JSON.stringify(object));
      }),
    );
  });

  it("take labels and annotations that are null as none: so the API server keeps a map whose last key an apply took away", () => {
    expect(render(quota({}, { name: "team", annotations: null, labels: null }))?.object).toBeDefined();
    expect(refusal(quota({}, { name: "team", annotations: [] }))).toContain("annotations: must be a map");
  });

  it("are refused with field and remedy where they cannot be kept", () => {
    expect(refusal({ apiVersion: "v1", kind: "Secret", metadata: { name: "x" } })).toBe(
      "spec.objects[0].object.kind: v1 Secret is not among the kinds that are generated: use one of networking.k8s.io/v1 NetworkPolicy, v1 ResourceQuota, v1 LimitRange, policy/v1 PodDisruptionBudget, v1 ConfigMap",
    );
    expect(refusal(quota({}, { name: cel("'a'") }))).toContain("object.metadata.name: must be written out");
    expect(refusal(quota({}, { name: "A_b" }))).toContain("must be lower case letters");
    expect(refusal(quota({}, { name: "a", namespace: "b" }))).toContain("metadata.namespace: remove it");
    expect(refusal(quota({}, { name: "a", ownerReferences: [] }))).toContain("ownerReferences: remove it");
    expect(refusal(quota({}, { name: "a", labels: { "shieldx.io/generator": "b" } }))).toContain(
      "own to set",
    );
    expect(refusal({ ...quota({}), status: {} })).toContain("object.status: is written by the cluster");
    expect(refusal(quota({}), quota({}))).toContain("ResourceQuota team is entry o0 already");
    expect(refusal(quota({ hard: { pods: cel("1 +") } }))).toContain(
      "spec.objects[0].object.spec.hard.pods: line 1, column",
    );
    expect(refusal(quota({ hard: { pods: cel("request.name") } }))).toContain(
      "undeclared reference to 'request'",
    );
    expect(refusal(quota({ text: "x".repeat(70_000) }))).toContain("at most 65536");
    let deep: unknown = "x";
    for (let level = 0; level < 40; level++) deep = { deep };
    expect(refusal(quota(deep))).toContain("nested deeper than 32 levels");
  });
});

describe("a generator's namespaces", () => {
  it("are those with the labels whose conditions hold; one in error is neither", () => {
    const generator = (expression: string) =>
      compileGenerator({ ...spec(quota({})), matchConditions: [{ name: "c", expression }] });
    const matches = (expression: string, labels = {}) =>
      generator(expression).matches({ metadata: { name: "a", labels: { tenant: "yes", ...labels } } }, never)
        .kind;
    expect(matches("true")).toBe("yes");
    expect(matches("true", { tenant: "no" })).toBe("no");
    expect(matches("namespaceObject.metadata.name == 'b'")).toBe("no");
    expect(matches("namespaceObject.metadata.labels['none'] == 'b'")).toBe("error");
    expect(() => generator("1")).toThrow(
      "spec.matchConditions[0].expression: must evaluate to bool but got int",
    );
  });
});
