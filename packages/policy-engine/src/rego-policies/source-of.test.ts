import { describe, expect, it } from "vitest";
import { bundleOf, type Files } from "../rego/bundle/bundle.test-kit.ts";
import { readBundle, type SnapshotBundle } from "../rego/bundle/index.ts";
import { sourceKey } from "../rego/program/source.ts";
import { bundleSource, moduleSource } from "./source-of.ts";

const read = (files: Files): SnapshotBundle => {
  const bundle = readBundle(bundleOf(files));
  if (bundle.kind !== "snapshot") throw new Error("a delta");
  return bundle;
};
const module = "package shop\n\ndeny contains 1 if true\n";
const old = "package old\n\ndeny[1] { true }\n";
const asV1 = { version: "v1", entrypoint: "data.shop.deny" } as const;

describe("what a policy is compiled from", () => {
  it("is its module", () => {
    expect(moduleSource({ module, ...asV1 })).toEqual({ modules: { "policy.rego": module }, ...asV1 });
    expect(moduleSource({ version: "v1" })).toBeUndefined();
  });

  it("is all modules and the data of its bundle, told from another bundle by identity alone", () => {
    const bundle = read({ "shop/policy.rego": module, "owners/data.json": { names: ["ann"] } });
    const source = bundleSource(bundle, "first", asV1);
    expect(source).toMatchObject({
      modules: { "shop/policy.rego": module },
      data: { owners: { names: ["ann"] } },
      version: "v1",
      entrypoint: "data.shop.deny",
    });
    if ("problem" in source) throw new Error(source.problem);
    expect(sourceKey(source)).toBe(sourceKey({ ...source, modules: {} }));
    expect(sourceKey(source)).not.toBe(sourceKey({ ...source, identity: "second" }));
    expect(sourceKey(source)).not.toBe(sourceKey({ ...source, entrypoint: "data.shop.warn" }));
  });

  it("is of the version the bundle names, or the policy says for all of it", () => {
    const v0 = read({ ".manifest": { rego_version: 0 }, "old/policy.rego": old });
    expect(bundleSource(v0, "x", asV1)).toMatchObject({ version: "v0" });
    const unnamed = read({ "old/policy.rego": "package old\n\nx := 1\n" });
    expect(bundleSource(unnamed, "x", { version: "v0" })).toMatchObject({ version: "v0" });
  });

  it("is nothing that would be half compiled", () => {
    const mixed = read({
      ".manifest": { file_rego_versions: { "/old/*.rego": 0 } },
      "old/policy.rego": old,
      "shop/policy.rego": module,
    });
    expect(bundleSource(mixed, "x", asV1)).toEqual({
      problem: "old/policy.rego is written in Rego v0, shop/policy.rego in v1: build a bundle of one version",
    });
    expect(bundleSource(read({ "data.json": {} }), "x", asV1)).toMatchObject({
      problem: expect.stringContaining("neither modules nor a plan"),
    });
  });
});
