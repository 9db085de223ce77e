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

  it("is its module with the libs it uses, each by a name of its own", () => {
    const lib = "package lib\n\nx := 1\n";
    expect(moduleSource({ module, libs: [lib], ...asV1 })).toEqual({
      modules: { "policy.rego": module, "libs[0].rego": lib },
      ...asV1,
    });
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

  /** The version each module is compiled as. */
  const versionsIn = (manifest: object | undefined, version: "v0" | "v1") => {
    const bundle = read({
      ...(manifest === undefined ? {} : { "/.manifest": manifest }),
      "/old/policy.rego": old,
      "/shop/policy.rego": module,
    });
    const source = bundleSource(bundle, "x", { version });
    if ("problem" in source) return source.problem;
    return ["old/policy.rego", "shop/policy.rego"].map((path) => source.versions?.[path] ?? source.version);
  };

  it("is of the versions that the manifest says, and else of the policy's", () => {
    expect(versionsIn(undefined, "v1")).toEqual(["v1", "v1"]);
    expect(versionsIn(undefined, "v0")).toEqual(["v0", "v0"]);
    expect(versionsIn({ rego_version: 0 }, "v1")).toEqual(["v0", "v0"]);
    expect(versionsIn({ rego_version: 1 }, "v0")).toEqual(["v1", "v1"]);
    expect(versionsIn({ file_rego_versions: { "/old/*.rego": 0 } }, "v1")).toEqual(["v0", "v1"]);
    expect(versionsIn({ file_rego_versions: { "/shop/policy.rego": 1 } }, "v0")).toEqual(["v0", "v1"]);
    const both = { rego_version: 1, file_rego_versions: { "/old/policy.rego": 0 } };
    expect(versionsIn(both, "v0")).toEqual(["v0", "v1"]);
  });

  it("is of the first pattern in the order of their bytes where several match", () => {
    const overlapping = (first: 0 | 1, second: 0 | 1) =>
      versionsIn(
        { rego_version: 0, file_rego_versions: { "/shop/*": second, "/*/policy.rego": first } },
        "v1",
      );
    expect(overlapping(0, 1)).toEqual(["v0", "v0"]);
    expect(overlapping(1, 0)).toEqual(["v1", "v1"]);
    expect(versionsIn({ file_rego_versions: { "/{old,new}/**": 0, "/shop/[!p]*": 0 } }, "v1")).toEqual([
      "v0",
      "v1",
    ]);
  });

  it("is no module of a version that OPA has not released, which it names", () => {
    expect(versionsIn({ file_rego_versions: { "/shop/*": 2 } }, "v1")).toBe(
      "shop/policy.rego is written in Rego v2 by the bundle's manifest, which OPA keeps for what is not released yet: build it with rego_version 0 or 1",
    );
  });

  it("is something to compile", () => {
    expect(bundleSource(read({ "data.json": {} }), "x", asV1)).toMatchObject({
      problem: expect.stringContaining("neither modules nor a plan"),
    });
  });
});
