import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { everyStatement } from "../plan.test-kit.ts";
import {
  bundleOf,
  type RawEntry,
  sampleFiles,
  tarEnd,
  tarEntry,
  tarOf,
  tarOfFiles,
} from "./bundle.test-kit.ts";
import type { SnapshotBundle } from "./bundle.ts";
import { BundleError } from "./errors.ts";
import type { BundleLimits } from "./limits.ts";
import { readBundle, readUnpacked } from "./read.ts";
import { checkOverlaps, Roots } from "./roots.ts";

function snapshot(files: Parameters<typeof bundleOf>[0]): SnapshotBundle {
  const bundle = readBundle(bundleOf(files));
  if (bundle.kind !== "snapshot") throw new Error("a delta");
  return bundle;
}

function refusal(read: () => unknown): BundleError {
  try {
    read();
  } catch (error) {
    if (error instanceof BundleError) return error;
    throw error;
  }
  throw new Error("was not refused");
}

const plain = (value: unknown) => JSON.parse(JSON.stringify(value));

describe("a bundle", () => {
  it("is read whole: manifest, modules with package and version, data by folder", () => {
    const bundle = snapshot(sampleFiles);
    expect(bundle.manifest.revision).toBe("r1");
    expect(bundle.manifest.roots.paths).toEqual(["shop", "roles"]);
    expect(plain(bundle.manifest.metadata)).toEqual({ team: "payments" });
    expect(bundle.modules.map(({ path, regoVersion, package: name }) => [path, regoVersion, name])).toEqual([
      ["shop/policy.rego", "v1", ["shop", "orders"]],
      ["old/legacy.rego", "v0", ["shop", "old-one"]],
    ]);
    expect(plain(bundle.data)).toEqual({
      roles: { admins: ["ann", "bob"], limits: { a: 1, b: 1.5 } },
      shop: { prices: { apple: 1, pear: 2.5, list: [{ a: 1 }, { a: 1 }] } },
    });
  });

  it("owns all of data without a manifest", () => {
    const bundle = snapshot({ "data.json": { a: 1 } });
    expect(bundle.manifest.roots.paths).toEqual([""]);
    expect(bundle.manifest.revision).toBe("");
  });

  it("may bring a plan, which is checked", () => {
    expect(snapshot({ "/plan.json": everyStatement() }).plan?.plans[0]?.name).toBe("test/query");
    const error = refusal(() => snapshot({ "/plan.json": { plans: 1 } }));
    expect(error.message).toBe("plan.json: is no plan of OPA's: plans: must be an object");
    expect(
      refusal(() => snapshot({ "/.manifest": { roots: ["other"] }, "/plan.json": everyStatement() })).code,
    ).toBe("OUTSIDE_ROOTS");
  });

  it("merges objects of several files and keeps keys that are special elsewhere", () => {
    const { data } = snapshot({
      "a/data.json": { b: { c: 1 } },
      "data.json": '{"a": {"b": {"d": 2}}, "__proto__": {"x": 1}, "constructor": 3}',
      "a/list/data.json": [1],
    });
    expect(Object.keys(data)).toEqual(["a", "__proto__", "constructor"]);
    expect(plain((data as { a: unknown }).a)).toEqual({ b: { c: 1, d: 2 }, list: [1] });
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  it("is read from pax, GNU and ustar archives, with long paths, folders and comments", () => {
    const long = `${"folder/".repeat(30)}data.json`;
    const record = (text: string) => {
      const length = text.length + (text.length < 95 ? 4 : 5);
      return `${length} ${text}\n`;
    };
    const archives: RawEntry[][] = [
      [
        { name: "pax", flag: "x", content: record(`path=${long}`) },
        { name: "short", content: '{"a":1}' },
      ],
      [
        { name: "././@LongLink", flag: "L", content: `${long}\0`, magic: "ustar  \0" },
        { name: "short", content: '{"a":1}', magic: "ustar  \0" },
      ],
      [
        {
          name: `${"folder/".repeat(9)}data.json`,
          prefix: "folder/".repeat(21).slice(0, -1),
          content: '{"a":1}',
        },
      ],
    ];
    for (const entries of archives) {
      const tar = tarOf([
        { name: "pax_global_header", flag: "g", content: record("comment=0123456789") },
        { name: "./", flag: "5" },
        { name: "folder/", flag: "5" },
        ...entries,
      ]);
      expect(JSON.stringify((readUnpacked(tar) as SnapshotBundle).data)).toBe(
        `${'{"folder":'.repeat(30)}{"a":1}${"}".repeat(30)}`,
      );
    }
  });
});

describe("an archive is refused", () => {
  const file: RawEntry = { name: "data.json", content: "{}" };
  it.each<[string, Buffer, string]>([
    ["with a link", tarOf([{ name: "data.json", flag: "2" }]), "files and folders only"],
    ["with a hard link", tarOf([{ name: "data.json", flag: "1" }]), "files and folders only"],
    ["with a device", tarOf([{ name: "x", flag: "3" }]), "files and folders only"],
    ["with a sparse file", tarOf([{ name: "x", flag: "S" }]), "files and folders only"],
    ["that leaves its folder", tarOf([{ name: "a/../../data.json" }]), "is not plain"],
    ["with dots at the end", tarOf([{ name: "a/.." }]), "is not plain"],
    ["with two slashes", tarOf([{ name: "//data.json" }]), "is not plain"],
    ["with a backslash", tarOf([{ name: "a\\data.json" }]), "backslash"],
    [
      "with one file twice",
      tarOf([file, { ...file, name: "./data.json" }]),
      "data.json: is in the archive twice",
    ],
    ["with a file of a folder's name", tarOf([{ name: "a/" }]), "is not plain"],
    [
      "with a folder that has content",
      tarOf([{ name: "a", flag: "5", content: "x" }]),
      "folder with content",
    ],
    ["without its end", tarEntry(file), "ends before its end mark"],
    ["with half of its end", Buffer.concat([tarEntry(file), Buffer.alloc(512)]), "ends before its end mark"],
    [
      "with more behind its end",
      Buffer.concat([tarEntry(file), tarEnd, tarEntry(file)]),
      "more behind the end",
    ],
    ["with a file longer than itself", tarOf([{ ...file, size: 1 << 20 }]), "longer than the archive"],
    ["of another format", tarOf([{ ...file, magic: "" }]), "neither in ustar, pax nor GNU"],
    ["with records for nothing", tarOf([{ name: "x", flag: "x", content: "9 path=a\n" }]), "does not come"],
    [
      "with records of a wrong length",
      tarOf([{ name: "x", flag: "x", content: "99 path=a\n" }, file]),
      "pax records",
    ],
    [
      "with one size for all",
      tarOf([{ name: "x", flag: "g", content: "9 size=1\n" }, file]),
      "for all files",
    ],
    [
      "with a path that is not UTF-8",
      tarOf([{ name: "x", flag: "L", content: Buffer.from([0xff]) }, file]),
      "not UTF-8",
    ],
  ])("%s", (_what, tar, message) => {
    const error = refusal(() => readUnpacked(tar));
    expect(error.message).toContain(message);
  });

  it("with a header whose checksum is wrong", () => {
    const tar = tarOf([file]);
    tar[0] = 0x78;
    expect(refusal(() => readUnpacked(tar)).message).toContain(
      "the tar entry at byte 0 cannot be read: the checksum",
    );
  });

  it("that is no gzip, or cut short", () => {
    const whole = bundleOf(sampleFiles);
    expect(refusal(() => readBundle(Buffer.from("<html>"))).message).toContain("no gzip archive");
    expect(refusal(() => readBundle(whole.subarray(0, -10))).message).toContain("no gzip archive");
    expect(refusal(() => readBundle(new Uint8Array(0))).code).toBe("INVALID_ARCHIVE");
    expect(refusal(() => readBundle(Buffer.concat([whole, Buffer.from("more")]))).code).toBe(
      "INVALID_ARCHIVE",
    );
  });

  it("that is a bomb, before it has inflated", () => {
    const bomb = gzipSync(Buffer.alloc(64 << 20));
    const before = process.memoryUsage.rss();
    const error = refusal(() => readBundle(bomb, { limits: { ratio: 10 } }));
    expect(error.message).toBe("the bundle inflates to more than 10 times its size");
    expect(process.memoryUsage.rss() - before).toBeLessThan(32 << 20);
    expect(refusal(() => readBundle(bomb, { limits: { inflatedBytes: 1000 } })).code).toBe("LIMIT_EXCEEDED");
  });

  it.each<[keyof BundleLimits, number, string]>([
    ["compressedBytes", 10, "bytes, at most 10 are allowed"],
    ["files", 5, "more than 5 files"],
    ["pathBytes", 12, "longer than 12 bytes"],
    ["depth", 2, "more than 2 folders deep"],
    ["values", 4, "more than 4 values in its documents"],
    ["yamlBytes", 10, "more than 10 bytes of YAML"],
  ])("beyond the limit %s", (limit, value, message) => {
    const error = refusal(() => readBundle(bundleOf(sampleFiles), { limits: { [limit]: value } }));
    expect(error.code).toBe("LIMIT_EXCEEDED");
    expect(error.message).toContain(message);
  });
});

describe("a bundle is refused", () => {
  it.each<[string, Parameters<typeof bundleOf>[0], string]>([
    [
      "with data outside its roots",
      { ".manifest": { roots: ["a/b"] }, "data.json": { a: { b: 1, c: 2 } } },
      'there is data at "a/c", but the bundle\'s roots are "a/b"',
    ],
    [
      "with a value above its roots",
      { ".manifest": { roots: ["a/b"] }, "data.json": { a: 1 } },
      'data at "a"',
    ],
    [
      "with a module outside its roots",
      { ".manifest": { roots: ["a"] }, "x.rego": "package ab" },
      'x.rego: its package is "ab"',
    ],
    [
      "with roots that overlap",
      { ".manifest": { roots: ["a", "/a/b/"] } },
      '.manifest: roots "a" and "a/b" overlap',
    ],
    ["with one root twice", { ".manifest": { roots: ["a", "a"] } }, "overlap"],
    ["with a root within another that comes later", { ".manifest": { roots: ["a/b", "a"] } }, "overlap"],
    ["with a manifest that is no object", { ".manifest": "[]" }, ".manifest: the file must be a JSON object"],
    ["with a field in another case", { ".manifest": { Roots: ["a"] } }, '"Roots" must be written "roots"'],
    ["with roots that are no list", { ".manifest": { roots: "a" } }, "roots must be a list"],
    [
      "with an unknown version of Rego",
      { ".manifest": { rego_version: 3 } },
      "rego_version must be 0, 1 or 2",
    ],
    [
      "with an unknown version of Rego for one file",
      { ".manifest": { file_rego_versions: { "/old/x.rego": 7 } } },
      '.manifest: file_rego_versions["/old/x.rego"] must be 0, 1 or 2',
    ],
    [
      "with no version of Rego for a pattern",
      { ".manifest": { file_rego_versions: { "/old/*": null } } },
      '.manifest: file_rego_versions["/old/*"] must be 0, 1 or 2',
    ],
    ["with a pattern that is none", { ".manifest": { file_rego_versions: { "{a": 1 } } }, "is no pattern"],
    [
      "with WebAssembly named",
      { ".manifest": { wasm: [{ entrypoint: "a" }] } },
      "WebAssembly is not run here",
    ],
    ["with WebAssembly", { "a/policy.wasm": "\0asm" }, "a/policy.wasm: WebAssembly is not run here"],
    ["with a manifest as protobuf", { ".manifest.pb": "" }, ".manifest.pb: manifests are read as JSON"],
    ["with a manifest in a folder", { "a/.manifest": {} }, "must lie at the top"],
    ["with a file OPA takes for a manifest", { "a/x.manifest": {} }, "would be OPA's manifest"],
    ["with data that is not JSON", { "a/data.json": "{" }, "a/data.json: is not JSON: unexpected EOF"],
    ["with data behind data", { "data.json": "{} {}" }, "after top-level value"],
    ["with data that is not YAML", { "data.yaml": "a: [" }, "data.yaml: is not YAML"],
    ["with a byte order mark", { "data.json": "\ufeff{}" }, "is not JSON"],
    ["with text that is not UTF-8", { "x.rego": Buffer.from([0x70, 0xff]) }, "x.rego: is not UTF-8 text"],
    ["with a list as the root of data", { "data.json": [1] }, "must be an object"],
    [
      "with one place given twice",
      { "a/data.json": { b: 1 }, "data.json": { a: { b: 1 } } },
      'gives data at "a/b"',
    ],
    ["with a value where a folder is", { "a/b/data.json": { c: 1 }, "a/data.json": [] }, 'gives data at "a"'],
    ["with data in a hidden folder", { ".a/data.json": {} }, "begins with a dot"],
    ["with a module without a package", { "x.rego": "allow if true" }, "must begin with its package"],
    ["with an empty module", { "x.rego": "# nothing" }, "must begin with its package"],
    ["with a package of variables", { "x.rego": "package a[x]" }, "its package cannot be read"],
    ["with a package cut short", { "x.rego": "package a." }, "its package cannot be read"],
    ["with an unfinished name", { "x.rego": 'package a["b' }, "its package cannot be read"],
    [
      "with policies beside a patch",
      { "patch.json": { data: [{ op: "remove", path: "a" }] }, "x.rego": "package a" },
      "may bring no policies",
    ],
    ["with an empty patch", { "patch.json": { data: [] } }, "names no operation"],
  ])("%s", (_what, files, message) => {
    expect(refusal(() => readBundle(bundleOf(files))).message).toContain(message);
  });

  it("with data that is nested too deep", () => {
    const deep = "[".repeat(5_000) + "]".repeat(5_000);
    expect(refusal(() => readBundle(bundleOf({ "a/data.json": deep }))).code).toBe("LIMIT_EXCEEDED");
    expect(refusal(() => readBundle(bundleOf({ "a/data.yaml": deep }))).code).toBe("LIMIT_EXCEEDED");
  });

  it("with more values than its memory is worth, before they are parsed", () => {
    const lists = `[${"[],".repeat(3_000_000)}[]]`;
    for (const name of ["a/data.json", ".manifest", ".signatures.json", "plan.json", "patch.json"]) {
      const before = process.memoryUsage().heapUsed;
      const tar = tarOfFiles({ [name]: lists });
      expect(refusal(() => readUnpacked(tar)).code).toBe("LIMIT_EXCEEDED");
      expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 << 20);
    }
  });

  it("with aliases that stand for billions of values", () => {
    const lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]"];
    for (const [name, before] of ["ba", "cb", "dc", "ed", "fe", "gf", "hg", "ih", "ji"].map((pair) => [
      ...pair,
    ]))
      lines.push(`${name}: &${name} [${Array(9).fill(`*${before}`).join(", ")}]`);
    expect(refusal(() => readBundle(bundleOf({ "a/data.yaml": lines.join("\n") }))).code).toBe(
      "LIMIT_EXCEEDED",
    );
  });
});

describe("a package", () => {
  it.each([
    ["package a", ["a"]],
    ["  # c\r\n\n# d\npackage\n  a.b_2 # e", ["a", "b_2"]],
    ['package a["b.c/d"].e["\\u0041"]\nx := 1', ["a", "b.c/d", "e", "A"]],
    ["package a[`b\\c`];x := 1", ["a", "b\\c"]],
  ])("%j", (source, segments) => {
    expect(snapshot({ "x.rego": source }).modules[0]?.package).toEqual(segments);
  });
});

describe("several bundles", () => {
  it("may not own the same part of data", () => {
    const roots = (...paths: string[]) => new Roots(paths);
    checkOverlaps(
      new Map([
        ["one", roots("a/b", "c")],
        ["two", roots("a/c")],
        ["three", roots("ab")],
      ]),
    );
    for (const other of ["a", "a/b", "a/b/c", ""])
      expect(
        refusal(() =>
          checkOverlaps(
            new Map([
              ["one", roots("a/b")],
              ["two", roots(other)],
            ]),
          ),
        ).message,
      ).toContain('"one" and "two" both own');
  });
});

it("reads archives that are not compressed the same way", () => {
  expect(plain(readUnpacked(tarOfFiles(sampleFiles)))).toEqual(plain(readBundle(bundleOf(sampleFiles))));
});
