import { describe, expect, it } from "vitest";
import { evaluate } from "./evaluate.test-kit.ts";
import type { Json } from "./json.ts";
import { applyJsonPatch, type JsonPatchOperation } from "./json-patch.ts";
import { jsonPatchOperations } from "./patch-values.ts";

const patch = (document: Json, ...operations: JsonPatchOperation[]) => applyJsonPatch(document, operations);
const failure = (document: Json, ...operations: JsonPatchOperation[]): string => {
  try {
    return `no error: ${JSON.stringify(patch(document, ...operations))}`;
  } catch (error) {
    return (error as Error).message;
  }
};

describe("applyJsonPatch", () => {
  it("does what RFC 6902 says", () => {
    const document = { a: { b: [1, 2, 3] }, "x/y": 1, "m~n": 2 };
    const before = structuredClone(document);
    expect(
      patch(
        document,
        { op: "add", path: "/a/b/1", value: "new" },
        { op: "add", path: "/a/b/-", value: "last" },
        { op: "remove", path: "/a/b/0" },
        { op: "replace", path: "/x~1y", value: { z: null } },
        { op: "move", from: "/m~0n", path: "/moved" },
        { op: "copy", from: "/a/b", path: "/copied" },
        { op: "add", path: "/copied/0", value: 0 },
        { op: "test", path: "/a/b", value: ["new", 2, 3, "last"] },
      ),
    ).toEqual({
      a: { b: ["new", 2, 3, "last"] },
      "x/y": { z: null },
      moved: 2,
      copied: [0, "new", 2, 3, "last"],
    });
    expect(document).toEqual(before);
  });

  it("leaves the document alone when a test fails", () => {
    const document = { a: 1 };
    expect(patch(document, { op: "add", path: "/b", value: 1 }, { op: "test", path: "/a", value: 2 })).toBe(
      document,
    );
  });

  it("takes the server's liberties", () => {
    expect(patch([1, 2], { op: "add", path: "/-1", value: 3 })).toEqual([1, 2, 3]);
    expect(patch([1, 2], { op: "remove", path: "/-2" })).toEqual([2]);
    expect(patch({}, { op: "replace", path: "/new", value: 1 })).toEqual({ new: 1 });
    expect(patch({}, { op: "copy", from: "/none", path: "/new" })).toEqual({ new: null });
    expect(patch({ a: {} }, { op: "add", path: "skipped/a/b", value: 1 })).toEqual({ a: { b: 1 } });
  });

  it("says why an operation does not apply", () => {
    expect(failure({}, { op: "add", path: "/a/b", value: 1 })).toBe(
      'JSON Patch: add operation does not apply: doc is missing path: "/a/b": missing value',
    );
    expect(failure({}, { op: "remove", path: "/a" })).toBe(
      "JSON Patch: error in remove for path: '/a': Unable to remove nonexistent key: a: missing value",
    );
    expect(failure([1], { op: "add", path: "/5", value: 1 })).toBe(
      "JSON Patch: error in add for path: '/5': Unable to access invalid index: 5: invalid index referenced",
    );
    expect(failure([1], { op: "remove", path: "/x" })).toContain('strconv.Atoi: parsing "x": invalid syntax');
    expect(failure({}, { op: "move", path: "/a" })).toContain("operation, missing from field");
    expect(failure({}, { op: "spin", path: "/a" })).toBe("JSON Patch: Unexpected kind: spin");
    expect(failure({}, { op: "replace", path: "", value: 1 })).toContain("value must be object or array");
  });

  it("takes __proto__ for a key like others", () => {
    const document = JSON.parse('{"__proto__": {"a": 1}, "b": 2}') as Json;
    const patched = patch(
      document,
      { op: "add", path: "/__proto__/polluted", value: true },
      { op: "move", from: "/b", path: "/constructor" },
      { op: "copy", from: "/__proto__", path: "/copy" },
    );
    expect(JSON.stringify(patched)).toBe(
      '{"__proto__":{"a":1,"polluted":true},"constructor":2,"copy":{"a":1,"polluted":true}}',
    );
    expect({}).not.toHaveProperty("polluted");
    expect(failure({}, { op: "add", path: "/__proto__/polluted", value: true })).toContain("missing path");
  });

  it("does not let copies grow without bounds", () => {
    const doubling = Array.from({ length: 60 }, (_, at) => ({ op: "copy", from: "", path: `/x/${at}` }));
    expect(failure({ x: {} }, ...doubling)).toContain("missing from");
    const nested = Array.from({ length: 60 }, (_, at) => ({ op: "copy", from: "/x", path: `/x/${at}` }));
    expect(failure({ x: {} }, ...nested)).toContain("copy operations add more than 200000 values");
    const deep = Array.from({ length: 60 }, (_, at) => ({
      op: "copy",
      from: "/x",
      path: `/x${"/x".repeat(2 ** Math.min(at, 12))}`,
    }));
    expect(failure({ x: {} }, ...deep)).toMatch(/deeper than|longer than|missing/);
  });
});

describe("JSONPatch expressions", () => {
  it("give operations", () => {
    expect(
      jsonPatchOperations(
        evaluate(
          `[JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('k8s.io/my~label'), value: {'a': [1, 2.0, 3u]}},
            JSONPatch{op: 'add', path: '/spec', value: Object.spec{replicas: 3, big: 9007199254740993, t: duration('90s'), b: b'hi'}},
            JSONPatch{op: 'remove', path: '/x'}, JSONPatch{op: 'copy', from: '/a', path: '/b'}]`,
        ),
      ),
    ).toEqual([
      { op: "add", path: "/metadata/labels/k8s.io~1my~0label", value: { a: [1, 2, 3] } },
      { op: "add", path: "/spec", value: { replicas: 3, big: "9007199254740993", t: "90s", b: "aGk=" } },
      { op: "remove", path: "/x" },
      { op: "copy", from: "/a", path: "/b" },
    ]);
  });

  it("refuse values that are no JSON and objects out of place", () => {
    const operations = (expression: string) => () => jsonPatchOperations(evaluate(expression));
    expect(operations("[JSONPatch{op: 'add', path: '/a', value: quantity('1')}]")).toThrow(
      "JSONPath valueExpression evaluated to a type that could not marshal to JSON",
    );
    expect(operations("[JSONPatch{op: 'add', path: '/a', value: {1: 2}}]")).toThrow("not string");
    expect(
      operations("[JSONPatch{op: 'add', path: '/a', value: Object.spec{a: [Object.spec.b{}]}}]"),
    ).toThrow(
      'type mismatch: unexpected type name "Object.spec.b", expected "Object.spec.a", which matches field name path from root Object type',
    );
    expect(operations("[1]")).toThrow("got element of int");
  });

  it("tell given text from text left out", () => {
    expect(
      evaluate("[JSONPatch{op: 'add'}].map(p, [p.op, p.path, string(has(p.path)), string(has(p.value))])[0]"),
    ).toEqual(["add", "", "false", "false"]);
  });
});
