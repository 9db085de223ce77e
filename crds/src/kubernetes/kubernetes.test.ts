import { describe, expect, it } from "vitest";
import { nameMatches } from "../shieldexception/schema.ts";
import { parseDurationMs } from "./duration.ts";
import { ManifestSyntaxError, parseManifests } from "./manifests.ts";

describe("parseDurationMs", () => {
  it.each([
    ["720h", 2_592_000_000],
    ["1h30m", 5_400_000],
    ["45s", 45_000],
    ["1h1m1s", 3_661_000],
  ])("%s", (text, ms) => expect(parseDurationMs(text)).toBe(ms));

  it.each(["", "h", "30d", "1.5h", "-1h", "1m1h", " 1h", "999999h"])("refuses %j", (text) => {
    expect(() => parseDurationMs(text)).toThrow(/is not a duration/);
  });
});

describe("parseManifests", () => {
  // The values were compared with kubectl create --dry-run=client -o json.
  it("reads scalars as kubectl does", () => {
    const text =
      "{a: off, b: 2026-11-30T18:00:00+01:00, c: yes, d: 10:30, e: 0777, f: 1_000, g: 0o7, h: 1.34, i: y, j: 1e3, k: ~}";
    expect(parseManifests(text, "t")).toEqual([
      {
        a: false,
        b: "2026-11-30T18:00:00+01:00",
        c: true,
        d: "10:30",
        e: 511,
        f: 1000,
        g: 7,
        h: 1.34,
        i: true,
        j: 1000,
        k: null,
      },
    ]);
  });

  it.each([
    ["9007199254740991", 9007199254740991],
    ["9007199254740993", 9007199254740993n],
    ["0x7fffffffffffffff", 9223372036854775807n],
    ["-9223372036854775808", -9223372036854775808n],
    ["9223372036854775808", 2 ** 63],
    ["9007199254740993.0", 2 ** 53],
  ])("has whole numbers of 64 bits as they are: %s", (text, value) => {
    expect(parseManifests(`{a: [${text}], ${text}: 1}`, "t")).toEqual([{ a: [value], [String(value)]: 1 }]);
  });

  it("reads several documents and leaves empty ones out", () => {
    expect(parseManifests("---\na: 1\n---\n# nothing\n---\n{}\n", "t")).toEqual([{ a: 1 }, {}]);
    expect(parseManifests("", "t")).toEqual([]);
  });

  it.each([
    ["a: [", "1:\\d+: "],
    ["a: 1\na: 2", "2:\\d+: "],
    ["a: *nowhere", "1: .*nowhere"],
  ])("says where %j is no YAML", (text, where) => {
    expect(() => parseManifests(text, "file.yaml")).toThrow(ManifestSyntaxError);
    expect(() => parseManifests(text, "file.yaml")).toThrow(new RegExp(`^file.yaml:${where}`));
  });

  it("does not let aliases grow without bound", () => {
    const bomb = [
      "a: &a [x,x,x,x,x,x,x,x,x]",
      ..."bcdefghi"
        .split("")
        .map((name, n) => `${name}: &${name} [${Array(9).fill(`*${"abcdefgh"[n]}`).join(",")}]`),
    ];
    expect(() => parseManifests(bomb.join("\n"), "bomb.yaml")).toThrow(ManifestSyntaxError);
  });
});

describe("nameMatches", () => {
  it.each([
    ["web", "web", true],
    ["web", "web-1", false],
    ["web-*", "web-1", true],
    ["web-*", "web", false],
    ["web*", "web", true],
    ["web*", "we", false],
  ])("%s covers %s: %s", (pattern, name, expected) => expect(nameMatches(pattern, name)).toBe(expected));
});
