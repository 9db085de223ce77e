import { describe, expect, it } from "vitest";
import { bundleOf, type Files } from "../rego/bundle/bundle.test-kit.ts";
import { importOpaBundle, type OpaBundleOptions } from "./index.ts";

const main =
  "package kubernetes.admission\n\nimport data.lib\n\ndeny contains lib.said if input.request.object.spec.x\n";
const lib = 'package lib\n\nsaid := "no"\n';
const imported = (files: Files, options: Partial<OpaBundleOptions> = {}) =>
  importOpaBundle(bundleOf(files), { name: "shop", ...options });
const files = { "main.rego": main, "lib/lib.rego": lib };

describe("an OPA bundle", () => {
  it("is written into the policy, its modules and its data", () => {
    const { policies, notes } = imported({ ...files, "limits/data.json": { most: 5, "per-team": 1 } });
    expect(policies).toEqual([]);
    expect(notes).toMatchObject([{ severity: "error", message: expect.stringContaining("data.limits") }]);
    const sound = imported({ ...files, "limits/data.json": { most: 5 } });
    expect(sound.notes).toMatchObject([{ severity: "lost", path: "" }]);
    expect(sound.policies[0]?.written).toMatchObject({
      metadata: { name: "shop" },
      spec: {
        engine: "rego",
        rego: {
          version: "v1",
          entrypoint: "data.kubernetes.admission.deny",
          module: main,
          libs: [lib, expect.stringContaining("package limits\n\nmost := 5\n")],
        },
        actions: { admission: "deny", background: "off" },
      },
    });
  });

  it("is fetched where it is said from where", () => {
    const { policies } = imported(files, { url: "https://bundles.example.com/shop.tar.gz", version: "v0" });
    expect(policies[0]?.policy.spec.rego).toEqual({
      bundle: { url: "https://bundles.example.com/shop.tar.gz" },
      entrypoint: "data.kubernetes.admission.deny",
      version: "v0",
    });
  });

  it.each<[string, Files, Partial<OpaBundleOptions>, string]>([
    [
      "which rule is meant",
      { "a.rego": "package a\n\ndeny := []\n", "b.rego": "package b\n\ndeny := []\n" },
      {},
      "--entrypoint",
    ],
    ["no rule", { "a.rego": "package a\n\ndenied := []\n" }, {}, "no rule named violation or deny"],
    ["a package that is not there", files, { entrypoint: "data.other.deny" }, "no module of package other"],
    ["what is no bundle of its own", { "patch.json": { data: [] } }, {}, ""],
  ])("is refused, saying %s", (_, given, options, message) => {
    const { policies, notes } = imported(given, options);
    expect(policies).toEqual([]);
    expect(notes).toMatchObject([{ severity: "error", message: expect.stringContaining(message) }]);
  });

  it("that is none is told, and never thrown", () => {
    const { notes } = importOpaBundle(Buffer.from("not gzip"), { name: "x" });
    expect(notes).toMatchObject([
      { severity: "error", message: expect.stringContaining("cannot be read as a bundle") },
    ]);
  });
});
