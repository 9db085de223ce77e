import { describe, expect, it } from "vitest";
import { equalValues, RegoObject, RegoSet, ValueDepthError } from "../values.ts";
import { metered } from "../work-meter.ts";
import { call } from "./builtins.test-kit.ts";
import { LimitError } from "./contract.ts";

describe("json", () => {
  it("keeps integers exact and keys its own", () => {
    expect(call("json.unmarshal", "12345678901234567890")).toBe(12_345_678_901_234_567_890n);
    const value = call("json.unmarshal", '{"__proto__": {"x": 1}, "constructor": 2}');
    expect(call("object.get", value!, "__proto__", null)).toEqual({ x: 1 });
    expect(call("object.get", {}, "constructor", "none")).toBe("none");
    expect(call("json.marshal", value!)).toBe('{"__proto__":{"x":1},"constructor":2}');
  });

  it("writes as Go does", () => {
    expect(call("json.marshal", new RegoObject([[[1], new RegoSet(["<b>", 1])]]))).toBe(
      '{"[1]":[1,"\\u003cb\\u003e"]}',
    );
    expect(call("json.marshal", 2 ** 60)).toBe("1152921504606846976");
  });

  it.each([
    ["", "EOF"],
    ["{", "unexpected EOF"],
    ["[1,]", "invalid character ']' looking for beginning of value"],
    ["01", "invalid character '1' after top-level value"],
    ["tru", "unexpected EOF"],
    ['"\n"', "invalid character '\\n' in string literal"],
  ])("refuses %j", (text, message) => {
    expect(() => call("json.unmarshal", text)).toThrow(message);
    expect(call("json.is_valid", text)).toBe(false);
  });

  it("ends the query where a text is nested deeper than values may be", () => {
    expect(() => call("json.unmarshal", "[".repeat(5_000))).toThrow(ValueDepthError);
    expect(() => call("json.is_valid", "[".repeat(5_000))).toThrow(ValueDepthError);
  });
});

describe("json.patch", () => {
  const patch = (document: Parameters<typeof call>[1], ...operations: { [key: string]: unknown }[]) =>
    call("json.patch", document, operations as never);

  it("works on arrays, objects and sets", () => {
    expect(patch([1, 2], { op: "add", path: "/1", value: 9 }, { op: "remove", path: "/0" })).toEqual([9, 2]);
    expect(patch([1], { op: "add", path: "/-", value: 2 })).toEqual([1, 2]);
    const set = patch(new RegoSet([1]), { op: "add", path: [2], value: 2 });
    expect(equalValues(set!, new RegoSet([1, 2]))).toBe(true);
  });

  it("does not change what it was given, nor tie copies together", () => {
    const document = { a: { b: [1] } };
    const result = patch(
      document,
      { op: "add", path: "/a/b/-", value: 2 },
      { op: "copy", from: "/a", path: "/c" },
      { op: "add", path: "/c/b/-", value: 3 },
      { op: "move", from: "/a/b", path: "/d" },
    );
    expect(document).toEqual({ a: { b: [1] } });
    expect(equalValues(result!, { a: {}, c: { b: [1, 2, 3] }, d: [1, 2] })).toBe(true);
  });

  it("tells what is wrong", () => {
    expect(() => patch({}, { op: "remove", path: "/a" })).toThrow(
      'cannot delete child key "a" that does not exist',
    );
    expect(() => patch({}, { op: "test", path: "", value: 1 })).toThrow("value from EditTree != patch value");
    expect(() => patch([], { op: "add", path: "/01", value: 1 })).toThrow("leading zeros");
    expect(() => patch({}, { path: "/a" })).toThrow("missing required attribute 'op'");
  });
});

describe("what is read", () => {
  /** How work is counted while a text is read: between two counts nobody looks at the clock. */
  const countsOf = (name: string, text: string) => {
    const counts: number[] = [];
    metered(
      (units) => counts.push(units),
      () => call(name, text),
    );
    return { times: counts.length, units: counts.reduce((sum, units) => sum + units, 0) };
  };
  const list = (item: string) => `[${Array(6_400).fill(item).join()}]`;

  it.each([
    ["values", list("0")],
    ["members", `{${Array.from({ length: 6_400 }, (_, at) => `"${at}":0`).join()}}`],
    ["characters that are escaped", `"${"\\u0041".repeat(6_400)}"`],
  ])("is counted meanwhile: %s", (_, text) => {
    expect(countsOf("json.unmarshal", text).times).toBeGreaterThanOrEqual(100);
  });

  it("is counted by what numbers come to, not by how they are written", () => {
    expect(countsOf("json.unmarshal", list("1e3000")).units).toBeGreaterThan(1_000_000);
    expect(countsOf("json.unmarshal", "1e30000").units).toBeGreaterThan(10_000);
    expect(countsOf("json.unmarshal", "9".repeat(30_000)).units).toBeGreaterThan(10_000);
    expect(countsOf("json.unmarshal", list("12345")).units).toBeLessThan(10_000);
  });
});

describe("yaml", () => {
  it("is refused where it is too long to be read at one go", () => {
    const longest = 262_144;
    const text = (length: number) => `a: ${"x".repeat(length - 3)}`;
    expect(call("yaml.unmarshal", text(longest))).toHaveProperty("a");
    for (const name of ["yaml.unmarshal", "yaml.is_valid"])
      expect(() => call(name, text(longest + 1))).toThrow(/at most 262144 characters/);
  });

  it("reads what Kubernetes people write", () => {
    const text = "a: &x {b: 1}\nc: *x\nd: yes\n<<: *x\n'on': 12345678901234567890\n";
    const value = call("yaml.unmarshal", text);
    expect(
      equalValues(value!, { a: { b: 1 }, c: { b: 1 }, d: "yes", b: 1, on: 12_345_678_901_234_567_890n }),
    ).toBe(true);
    expect(call("yaml.marshal", { b: [1, "yes", "1"], a: null })).toBe(
      'a: null\nb:\n  - 1\n  - "yes"\n  - "1"\n',
    );
  });

  it("refuses bombs and nesting", () => {
    const bomb = ["a: &a [1,2,3,4,5,6,7,8,9]"];
    for (let level = 0; level < 9; level += 1) {
      const [name, before] = [String.fromCharCode(98 + level), String.fromCharCode(97 + level)];
      bomb.push(`${name}: &${name} [${Array(9).fill(`*${before}`).join(",")}]`);
    }
    expect(() => call("yaml.unmarshal", bomb.join("\n"))).toThrow("yaml:");
    expect(() => call("yaml.unmarshal", "[".repeat(100_000))).toThrow("nested");
    // Neither valid nor invalid: the query ends, and whoever asked it decides.
    expect(() => call("yaml.is_valid", "- ".repeat(100_000))).toThrow(LimitError);
  });
});

describe("json schema", () => {
  it("reports every mismatch at its place", () => {
    const schema = {
      type: "object",
      required: ["a"],
      properties: { b: { type: "array", items: { type: "string", minLength: 2 } } },
      additionalProperties: false,
    };
    expect(call("json.match_schema", { b: ["xx", "y"], c: 1 }, schema)).toEqual([
      false,
      [
        { error: "(Root): a is required", type: "required", field: "(Root)", desc: "a is required" },
        expect.objectContaining({ type: "additional_property_not_allowed" }),
        expect.objectContaining({ field: "b.1", type: "string_gte" }),
      ],
    ]);
  });

  it("follows references within the document only, and never without end", () => {
    const tree = {
      $ref: "#/definitions/t",
      definitions: { t: { properties: { c: { $ref: "#/definitions/t" } } } },
    };
    expect(call("json.match_schema", { c: { c: {} } }, tree)).toEqual([true, []]);
    expect(() => call("json.match_schema", {}, { $ref: "https://example.com/s" })).toThrow("not fetched");
    expect(() => call("json.match_schema", {}, { $ref: "#" })).toThrow("deep");
    const doubling = { allOf: [{ $ref: "#" }, { $ref: "#" }] };
    expect(() => call("json.match_schema", {}, doubling)).toThrow(/deep|steps/);
  });
});

describe("walk and graphs", () => {
  it("walks in order", () => {
    expect(call("walk", { b: [1], a: null })).toEqual([
      [[], { b: [1], a: null }],
      [["a"], null],
      [["b"], [1]],
      [["b", 0], 1],
    ]);
  });

  it("ends on graphs with very many paths", () => {
    const graph = Object.fromEntries(
      Array.from({ length: 40 }, (_, at) => [`${at}`, [`${at + 1}`, `${at + 1}x`]]).concat(
        Array.from({ length: 40 }, (_, at) => [`${at}x`, [`${at + 1}`, `${at + 1}x`]]),
      ),
    );
    expect(() => call("graph.reachable_paths", graph, ["0"])).toThrow("more than");
    expect((call("graph.reachable", graph, ["0"]) as RegoSet).size).toBe(79);
  });
});
