import { describe, expect, it } from "vitest";
import { bundleOf } from "./bundle.test-kit.ts";
import type { DeltaBundle, SnapshotBundle } from "./bundle.ts";
import { applyDelta } from "./delta.ts";
import { BundleError } from "./errors.ts";
import { readBundle } from "./read.ts";

const manifest = { revision: "r1", roots: ["a"], metadata: { n: 1 } };

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !(value instanceof Uint8Array))
    for (const item of Object.values(value)) deepFreeze(item);
  return Object.freeze(value);
}

function base(a: unknown): SnapshotBundle {
  const bundle = readBundle(bundleOf({ ".manifest": manifest, "x.rego": "package a.x", "data.json": { a } }));
  deepFreeze(bundle.kind === "snapshot" ? bundle.data : undefined);
  return bundle as SnapshotBundle;
}

function delta(data: readonly object[], given: object = { ...manifest, revision: "r2" }): DeltaBundle {
  return readBundle(bundleOf({ ".manifest": given, "/patch.json": { data } })) as DeltaBundle;
}

function after(a: unknown, ...data: readonly object[]): unknown {
  return JSON.parse(JSON.stringify(applyDelta(base(a), delta(data)).data)).a;
}

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof BundleError) return error.message;
    throw error;
  }
  throw new Error("was not refused");
}

describe("a delta", () => {
  it("adds, replaces and removes, and makes objects on the way", () => {
    expect(after({ b: 1 }, { op: "upsert", path: "/a/c/d/e", value: [1] })).toEqual({
      b: 1,
      c: { d: { e: [1] } },
    });
    expect(after({ b: 1 }, { op: "upsert", path: "a/b/", value: null })).toEqual({ b: null });
    expect(after({ b: 1, c: 2 }, { op: "remove", path: "/a/b" })).toEqual({ c: 2 });
    expect(after({ b: { c: 1 } }, { op: "replace", path: "/a/b", value: 2 })).toEqual({ b: 2 });
    expect(after(1, { op: "upsert", path: "/a", value: { x: 1 } })).toEqual({ x: 1 });
  });

  it("changes lists by index", () => {
    expect(after([1, 2], { op: "upsert", path: "/a/1", value: 9 })).toEqual([1, 9, 2]);
    expect(after([1, 2], { op: "upsert", path: "/a/-", value: 9 })).toEqual([1, 2, 9]);
    expect(after([1, 2], { op: "upsert", path: "/a/2", value: 9 })).toEqual([1, 2, 9]);
    expect(after([1, 2], { op: "replace", path: "/a/0", value: 9 })).toEqual([9, 2]);
    expect(after([1, [2, 3]], { op: "remove", path: "/a/1/0" })).toEqual([1, [3]]);
  });

  it("has later operations see the earlier ones", () => {
    const operations = [
      { op: "upsert", path: "/a/list", value: [] },
      { op: "upsert", path: "/a/list/-", value: { x: 1 } },
      { op: "upsert", path: "/a/list/0/y", value: 2 },
      { op: "remove", path: "/a/list/0/x" },
    ];
    const read = delta(operations);
    deepFreeze(read.patch);
    expect(JSON.stringify(applyDelta(base({}), read).data)).toBe('{"a":{"list":[{"y":2}]}}');
  });

  it("reads pointers escaped as in JSON pointers and in URLs, and special names as names", () => {
    const path = "/a/b%2Fc~1d~0e~01/__proto__/x";
    expect(JSON.stringify(applyDelta(base({}), delta([{ op: "upsert", path, value: 1 }])).data)).toBe(
      '{"a":{"b/c/d~e~1":{"__proto__":{"x":1}}}}',
    );
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  it("leaves the bundle it is for as it was, keeps its policies and brings its own revision", () => {
    const before = base({ b: { c: [1] }, d: { e: 1 } });
    const text = JSON.stringify(before.data);
    const changed = applyDelta(
      before,
      delta([{ op: "upsert", path: "/a/b/c/-", value: 2 }], { roots: ["a"], revision: "r2" }),
    );
    expect(JSON.stringify(before.data)).toBe(text);
    expect(changed.manifest.revision).toBe("r2");
    expect(changed.modules).toBe(before.modules);
    expect((changed.data.a as { d: unknown }).d).toBe((before.data.a as { d: unknown }).d);
  });

  it.each<[string, object, string]>([
    [
      "of what is not there",
      { op: "remove", path: "/a/x" },
      'data[0] cannot remove "a/x": it does not exist',
    ],
    ["that replaces what is not there", { op: "replace", path: "/a/x/y", value: 1 }, '"x" does not exist'],
    ["within a value", { op: "upsert", path: "/a/b/c", value: 1 }, '"b" is neither an object nor a list'],
    ["behind a list's end", { op: "upsert", path: "/a/list/5", value: 1 }, "the list has 2 items"],
    ["of an odd index", { op: "upsert", path: "/a/list/01", value: 1 }, "the list has 2 items"],
    ["through a missing item", { op: "upsert", path: "/a/list/2/x", value: 1 }, '"2" does not exist'],
    ["of a list's length", { op: "upsert", path: "/a/list/length", value: 1 }, "the list has 2 items"],
  ])("%s is refused", (_what, operation, message) => {
    expect(refusal(() => applyDelta(base({ b: 1, list: [1, 2] }), delta([operation])))).toContain(message);
  });

  it.each<[string, object[], string]>([
    ["outside of its roots", [{ op: "remove", path: "/b" }], "data[0].path is outside"],
    ["of everything", [{ op: "replace", path: "/", value: {} }], "names no place below data"],
    ["without a value", [{ op: "upsert", path: "/a" }], "data[0].value is missing"],
    ["of an unknown kind", [{ op: "move", path: "/a" }], "data[0].op must be upsert, replace or remove"],
    ["with a broken escape", [{ op: "remove", path: "/a/%zz" }], "has a % that begins no escape"],
    ["with a number for a path", [{ op: "remove", path: 1 }], "data[0].path must be a string"],
  ])("%s cannot even be read", (_what, data, message) => {
    expect(refusal(() => delta(data))).toContain(message);
  });

  it("for other roots is refused, as in OPA", () => {
    const other = delta([{ op: "remove", path: "/a/b" }], { roots: ["a", "c"] });
    expect(refusal(() => applyDelta(base({ b: 1 }), other))).toContain(
      'the delta\'s roots are "a", "c", those of the bundle',
    );
  });

  it("after delta cannot grow the data without end", () => {
    let bundle = base({ list: [] });
    const step = delta([{ op: "upsert", path: "/a/list/-", value: [1, 2, 3] }]);
    const limits = { values: bundle.values + 3 * step.values };
    for (let times = 0; times < 3; times += 1) bundle = applyDelta(bundle, step, limits);
    expect(refusal(() => applyDelta(bundle, step, limits))).toContain("serve a whole one");
  });
});
