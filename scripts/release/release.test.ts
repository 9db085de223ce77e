import { describe, expect, it } from "vitest";
import { packageFolder } from "./components.ts";
import { refusalOf } from "./licences.ts";

describe("a licence that may be linked", () => {
  it.each([
    "MIT",
    "Apache-2.0",
    "(MIT OR GPL-3.0-only)",
    "BSD-3-Clause AND MIT",
    "LGPL-2.1-or-later",
    "0BSD",
  ])("%s", (expression) => expect(refusalOf(expression)).toBeUndefined());
});

describe("a licence that may not", () => {
  it.each([
    "GPL-3.0-or-later",
    "AGPL-3.0-only",
    "BUSL-1.1",
    "SSPL-1.0",
    "MIT AND GPL-2.0-only",
    "(AGPL-3.0-only OR BUSL-1.1)",
    "SEE LICENSE IN LICENSE",
    "",
    undefined,
  ])("%s", (expression) => expect(refusalOf(expression)).toBeDefined());
});

describe("packageFolder", () => {
  it.each([
    ["node_modules/zod/v4/core.js", "node_modules/zod"],
    ["node_modules/@peculiar/x509/build/x509.es.js", "node_modules/@peculiar/x509"],
    ["node_modules/a/node_modules/b/index.js", "node_modules/a/node_modules/b"],
    ["operator/src/main.ts", undefined],
  ])("of %s is %s", (path, folder) => expect(packageFolder(path)).toBe(folder));
});
