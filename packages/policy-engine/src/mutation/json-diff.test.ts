import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json, JsonRecord } from "../cel/kubernetes/json.ts";
import { applyJsonPatch } from "../cel/kubernetes/json-patch.ts";
import { jsonDiff } from "./json-diff.ts";

describe("jsonDiff", () => {
  it("says nothing about what is equal, and little about what is not", () => {
    const before = { a: 1, list: [{ name: "a" }, { name: "c" }], gone: null, "x/y~z": { b: 1 } };
    const after = { a: 1, list: [{ name: "a" }, { name: "b" }, { name: "c" }], "x/y~z": { b: 2 }, new: [] };
    expect(jsonDiff(before, before)).toEqual([]);
    expect(jsonDiff(before, after)).toEqual([
      { op: "remove", path: "/gone" },
      { op: "add", path: "/list/1", value: { name: "b" } },
      { op: "replace", path: "/x~1y~0z/b", value: 2 },
      { op: "add", path: "/new", value: [] },
    ]);
  });

  it("takes no longer for what is nested, and replaces what is nested too deeply", () => {
    const nested = (value: Json, depth: number, wrap: (inner: Json) => Json): Json => {
      let made = value;
      for (let i = 0; i < depth; i++) made = wrap(made);
      return made;
    };
    const listed = (value: Json) => ({ l: nested(value, 20, (inner) => [0, inner]) });
    expect(jsonDiff(listed(1), listed(1))).toEqual([]);
    expect(jsonDiff(listed(1), listed(2))).toMatchObject([{ op: "replace", path: `/l${"/1".repeat(8)}` }]);
    const deep = (value: Json) => nested(value, 200, (inner) => ({ a: inner })) as JsonRecord;
    const patch = jsonDiff(deep(1), deep(2));
    expect(patch).toMatchObject([{ op: "replace", path: "/a".repeat(101) }]);
    expect(applyJsonPatch(deep(1), patch)).toEqual(deep(2));
  });

  it("gives, applied to the object before, the object after", () => {
    const key = fc.oneof(fc.constantFrom("a", "b", "__proto__", "x/y", "~", "0"), fc.string());
    const { tree } = fc.letrec<{ tree: Json; record: JsonRecord }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom<Json>(null, true, 0, 1, "", "x"),
        fc.array(tie("tree"), { maxLength: 5 }),
        tie("record"),
      ),
      record: fc
        .array(fc.tuple(key, tie("tree")), { maxLength: 4 })
        .map((entries) =>
          JSON.parse(`{${entries.map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`)}}`),
        ),
    }));
    const record = fc.array(fc.tuple(key, tree), { maxLength: 4 }).map((entries) => {
      return JSON.parse(
        `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`)}}`,
      ) as JsonRecord;
    });
    fc.assert(
      fc.property(record, record, (before, after) => {
        const text = JSON.stringify(before);
        const patched = applyJsonPatch(before, jsonDiff(before, after));
        expect(patched).toStrictEqual(after);
        expect(JSON.stringify(before)).toBe(text);
      }),
      { numRuns: 500 },
    );
  });
});
