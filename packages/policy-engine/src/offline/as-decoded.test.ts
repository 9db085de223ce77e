import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asDecoded } from "./as-decoded.ts";

describe("an object as an API server has it", () => {
  it("is without members that hold nothing, at any depth, and itself where there are none", () => {
    const object = {
      metadata: { annotations: null, name: "a" },
      spec: { containers: [{ env: null, name: "c" }] },
    };
    expect(asDecoded(object, "apps")).toEqual({
      metadata: { name: "a" },
      spec: { containers: [{ name: "c" }] },
    });
    const plain = { metadata: { name: "a" }, spec: { containers: [{ name: "c" }], list: [null, 1] } };
    expect(asDecoded(plain, "")).toBe(plain);
  });

  it("names the ServiceAccount as new manifests do", () => {
    const spec = { serviceAccount: "own", containers: [] };
    expect(asDecoded({ spec }, "batch")).toEqual({ spec: { ...spec, serviceAccountName: "own" } });
    const named = { spec: { ...spec, serviceAccountName: "another" } };
    expect(asDecoded(named, "batch")).toBe(named);
  });

  it("is as it was written where only a definition tells", () => {
    const object = { spec: { nullable: null } };
    expect(asDecoded(object, "example.com")).toBe(object);
  });

  it("is read once and for all, whatever it is", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
        const once = asDecoded(value, "");
        expect(asDecoded(once, "")).toBe(once);
      }),
    );
    let deep: unknown = null;
    for (let depth = 0; depth < 5_000; depth++) deep = { deep };
    expect(asDecoded(deep, "")).toBeDefined();
    expect(Object.keys(asDecoded(JSON.parse('{"__proto__":{"a":null}}'), "") as object)).toEqual([
      "__proto__",
    ]);
  });
});
