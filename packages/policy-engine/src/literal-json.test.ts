import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseWithLiterals } from "./literal-json.ts";

/** Every number becomes its text. */
const rules = { perhaps: /\d/, shortest: 1, read: (literal: string) => `<${literal}>` };
const parse = (text: string) => parseWithLiterals(text, rules);
const expected = (value: unknown): unknown => {
  if (typeof value === "number") return `<${JSON.stringify(value)}>`;
  if (Array.isArray(value)) return value.map(expected);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, expected(item)]));
};

describe("numbers read otherwise", () => {
  it("are those of the text, wherever they are, and nothing else changes", () => {
    const value = fc.jsonValue({ maxDepth: 6, stringUnit: "binary" });
    fc.assert(
      fc.property(value, fc.nat(3), (made, indent) => {
        const text = JSON.stringify(made, null, indent);
        // `-0` is written without its sign.
        expect(parse(text)).toEqual(expected(JSON.parse(text)));
      }),
      { numRuns: 3_000 },
    );
  });

  it.each([
    ['{"a":1,"a":2}', { a: "<2>" }],
    ['{"a":{"b":1},"a":2}', { a: "<2>" }],
    ['{"a":[1,2],"a":[3]}', { a: ["<3>"] }],
    ['{"a":[1],"a":{"0":"x"}}', { a: { 0: "x" } }],
    ['{"a":1,"a":"1"}', { a: "1" }],
    ['{"\\u0061":1,"b\\"":{"c\\\\":2}}', { a: "<1>", 'b"': { "c\\": "<2>" } }],
    ['{"":{"":1}}', { "": { "": "<1>" } }],
    [" [ 1 , [ ] , { } , -2.5e+3 ] ", ["<1>", [], {}, "<-2.5e+3>"]],
    ["7", "<7>"],
  ])("are in the place that counts: %s", (text, value) => {
    expect(parse(text)).toEqual(value);
  });

  it("do not reach a prototype", () => {
    const read = parse('{"__proto__":{"a":1},"b":{"__proto__":2},"constructor":{"prototype":3}}') as object;
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
    expect(JSON.stringify(read)).toBe(
      '{"__proto__":{"a":"<1>"},"b":{"__proto__":"<2>"},"constructor":{"prototype":"<3>"}}',
    );
    expect(({} as { a?: unknown }).a).toBeUndefined();
  });

  it("take no stack, however deep they are", () => {
    const depth = 100_000;
    let value = parse(`${"[".repeat(depth)}1${"]".repeat(depth)}`);
    for (let level = 0; level < depth; level++) value = (value as unknown[])[0];
    expect(value).toBe("<1>");
  });

  it("are looked at once each, and only those that may be meant", () => {
    let looks = 0;
    const counting = {
      perhaps: /\d{16}/,
      shortest: 16,
      read: () => {
        looks++;
        return undefined;
      },
    };
    const many = "1,".repeat(10_000);
    parseWithLiterals(`[${many}"1234567890123456",1234567890123456]`, counting);
    expect(looks).toBe(1);
    parseWithLiterals(`[${many}1]`, counting);
    expect(looks).toBe(1);
    expect(() => parseWithLiterals("[1234567890123456", counting)).toThrow(SyntaxError);
  });
});
