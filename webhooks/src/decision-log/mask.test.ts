import { describe, expect, it } from "vitest";
import { MaskError, mask, parseMaskRules } from "./mask.ts";

const event = () => ({
  path: "app/allow",
  input: JSON.parse(
    '{"user":"alice","password":"p","list":[{"key":"k"},2],"a/b":{"~":1},"__proto__":{"x":1}}',
  ),
  result: { secret: "s", open: true },
});

describe("mask rules", () => {
  it("erase and replace, and say so", () => {
    const rules = parseMaskRules([
      "/input/password",
      "/input/list/0/key",
      "/input/a~1b/~0",
      "/input/__proto__/x",
      { op: "remove", path: "/result/secret" },
      { op: "upsert", path: "/input/user", value: "***" },
      { op: "upsert", path: "/input/new/deep", value: 1 },
    ]);
    expect(JSON.parse(JSON.stringify(mask(event(), rules)))).toEqual({
      path: "app/allow",
      input: JSON.parse('{"user":"***","list":[{},2],"a/b":{},"__proto__":{},"new":{"deep":1}}'),
      result: { open: true },
      erased: [
        "/input/password",
        "/input/list/0/key",
        "/input/a~1b/~0",
        "/input/__proto__/x",
        "/result/secret",
      ],
      masked: ["/input/user", "/input/new/deep"],
    });
  });

  it("leave the documents of the answer as they are", () => {
    const before = event();
    mask(before, parseMaskRules(["/input/password", "/result", "/input/list/1"]));
    expect(before).toEqual(event());
  });

  it("erase a whole document", () => {
    const masked = mask(event(), parseMaskRules(["/input", { op: "upsert", path: "/result", value: null }]));
    expect(masked).toEqual({ path: "app/allow", result: null, erased: ["/input"], masked: ["/result"] });
  });

  it("skip what is not there", () => {
    const rules = parseMaskRules([
      "/input/nope",
      "/input/list/9",
      "/input/list/x",
      "/input/user/name",
      "/nd_builtin_cache/a",
      { op: "upsert", path: "/input/list/9/a", value: 1 },
      { op: "upsert", path: "/input/user/name", value: 1 },
      "/input/constructor/name",
    ]);
    expect(mask(event(), rules)).toEqual(event());
  });

  it.each([
    [[""], /must begin with a slash/],
    [["input/a"], /must begin with a slash/],
    [["/path"], /must begin with \/input or \/result/],
    [[{ op: "replace", path: "/input" }], /op of a mask rule/],
    [[{ op: "remove" }], /path of a mask rule/],
    [[7], /not number/],
    ["/input", /must be a list/],
    [[`/input${"/a".repeat(64)}`], /at most 64 parts/],
  ])("%j is refused", (rules, message) => {
    expect(() => parseMaskRules(rules)).toThrow(MaskError);
    expect(() => parseMaskRules(rules)).toThrow(message);
  });
});
