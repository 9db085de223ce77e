import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mostDescriptors, parseManifest } from "./documents.ts";
import { RegistryError } from "./errors.ts";

const digest = `sha256:${"0".repeat(64)}`;
const read = (json: unknown) => parseManifest(Buffer.from(JSON.stringify(json)), "it");

describe("a manifest", () => {
  it("is read as far as it is shaped like one, and no further than its lists may be long", () => {
    const layer = { mediaType: "a", digest, size: 1, annotations: { b: "c", d: 1 } };
    const manifest = read({
      layers: [layer, null, { digest: "x" }, { ...layer, size: -1 }],
      manifests: "none",
    });
    expect(manifest.layers.map(({ annotations }) => [...annotations])).toEqual([[["b", "c"]]]);
    expect(manifest.manifests).toEqual([]);
    expect(read({ manifests: Array.from({ length: 500 }, () => layer) }).manifests).toHaveLength(
      mostDescriptors,
    );
  });

  it("looks at its own members alone", () => {
    const text = `{"__proto__":{"layers":[{"mediaType":"a","digest":"${digest}","size":1}]}}`;
    expect(parseManifest(Buffer.from(text), "it").layers).toEqual([]);
  });

  it.each(["", "[]", "null", "{", "\u0000", "[".repeat(200_000)])("%#: is none, which is said", (text) => {
    expect(() => parseManifest(Buffer.from(text), "it")).toThrow(RegistryError);
  });

  it("is read or refused, whatever it is", () => {
    const json = fc.object({
      key: fc.constantFrom("layers", "manifests", "digest", "size", "annotations", "__proto__", "x"),
    });
    fc.assert(
      fc.property(json, (value) => void read(value)),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          parseManifest(bytes, "it");
        } catch (error) {
          if (!(error instanceof RegistryError)) throw error;
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
