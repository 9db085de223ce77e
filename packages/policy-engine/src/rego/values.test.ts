import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compactJson, toJson } from "./json.ts";
import { numberLiteral } from "./number-literal.ts";
import {
  canonicalKey,
  compareStrings,
  compareValues,
  equalValues,
  getKey,
  RegoObject,
  RegoSet,
  type RegoValue,
  sizeOf,
  typeName,
} from "./values.ts";

/** Small alphabets, so that equal values and equal keys are common. */
const scalar = fc.oneof(
  fc.constantFrom<RegoValue>(
    null,
    true,
    false,
    0,
    -0,
    1,
    2,
    0.5,
    -1,
    1e20,
    10n ** 20n,
    2n ** 53n,
    "",
    "a",
    "b",
  ),
  fc.constantFrom<RegoValue>("__proto__", "constructor", "\u{1F600}", "\uFF5E", "1", '"', "a,b"),
);
const values = fc.letrec<{ value: RegoValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    scalar,
    fc.array(tie("value"), { maxLength: 3 }),
    fc.array(tie("value"), { maxLength: 12 }).map((items) => new RegoSet(items)),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 3 }).map((items) => new RegoObject(items)),
    fc
      .array(fc.tuple(fc.constantFrom("a", "b", "__proto__", "1"), tie("value")), { maxLength: 3 })
      .map((items) => Object.fromEntries(items)),
  ),
})).value;

const sign = (order: number): number => (order < 0 ? -1 : order > 0 ? 1 : 0);

describe("order and equality of values", () => {
  it("agree with each other and with keys", () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        expect(sign(compareValues(a, b))).toBe(0 - sign(compareValues(b, a)) || 0);
        expect(equalValues(a, b)).toBe(compareValues(a, b) === 0);
        expect(canonicalKey(a) === canonicalKey(b)).toBe(equalValues(a, b));
        expect(equalValues(a, a) && compareValues(a, a) === 0).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it("are total: any three can be sorted", () => {
    fc.assert(
      fc.property(values, values, values, (a, b, c) => {
        if (compareValues(a, b) <= 0 && compareValues(b, c) <= 0)
          expect(compareValues(a, c)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 1_000 },
    );
  });

  it("order kinds as OPA does", () => {
    const kinds: RegoValue[] = [new RegoSet(), {}, [], "", 0, false, null];
    expect(kinds.toSorted(compareValues).map(typeName)).toEqual([
      "null",
      "boolean",
      "number",
      "string",
      "array",
      "object",
      "set",
    ]);
  });

  it("order strings as UTF-8 does", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), (a, b) => {
        expect(sign(compareStrings(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
    );
  });

  it("take an object a policy made for the same as one of the input", () => {
    const made = new RegoObject([["a", new RegoObject([["__proto__", [1]]])]]);
    const given = JSON.parse('{"a": {"__proto__": [1]}}') as RegoValue;
    expect(equalValues(made, given) && equalValues(given, made)).toBe(true);
    expect(canonicalKey(made)).toBe(canonicalKey(given));
  });
});

describe("RegoSet", () => {
  it("holds each value once, few or many", () => {
    fc.assert(
      fc.property(fc.array(values, { maxLength: 30 }), (items) => {
        const set = new RegoSet(items);
        const keys = new Set(items.map((item) => canonicalKey(item)));
        expect(set.size).toBe(keys.size);
        expect(new Set([...set].map((item) => canonicalKey(item)))).toEqual(keys);
        for (const item of items) expect(set.has(item)).toBe(true);
        expect(set.sorted()).toEqual(set.members().sort(compareValues));
        const others = [[1, 2, 3, 4], "not there", 12345.5].filter((item) => !keys.has(canonicalKey(item)));
        for (const other of others) expect(set.has(other)).toBe(false);
      }),
    );
  });
});

describe("RegoObject", () => {
  it("keeps the last value of a key, whichever way the key is written", () => {
    const object = new RegoObject([
      [1e20, "number"],
      [[1, new RegoSet([2, 1])], "composite"],
    ]);
    object.set(10n ** 20n, "bigint");
    object.set([1, new RegoSet([1, 2])], "again");
    expect(object.size).toBe(2);
    expect(object.get(1e20)).toBe("bigint");
    expect(object.get([1, new RegoSet([2, 1])])).toBe("again");
    expect(object.get([1])).toBeUndefined();
    expect(sizeOf(object)).toBe(2);
  });
});

it("getKey sees own keys only", () => {
  expect(getKey({}, "constructor")).toBeUndefined();
  expect(getKey({}, "__proto__")).toBeUndefined();
  expect(getKey(JSON.parse('{"__proto__": 1}'), "__proto__")).toBe(1);
  expect(getKey({ 1: "a" }, 1)).toBeUndefined();
});

describe("toJson", () => {
  it("writes sets as sorted lists and keys as text", () => {
    const value = new RegoObject([
      [new RegoSet(["b", "a"]), new RegoSet([2, 1])],
      [{ y: 1, x: 2n ** 70n }, 1],
      ["__proto__", null],
    ]);
    expect(compactJson(toJson(value))).toBe(
      '{"[\\"a\\",\\"b\\"]":[1,2],"__proto__":null,"{\\"x\\":1180591620717411303424,\\"y\\":1}":1}',
    );
  });

  it("gives copies, so that a reader cannot change the input", () => {
    const input = { list: [1] };
    const copy = toJson(input) as { list: number[] };
    copy.list.push(2);
    expect(input).toEqual({ list: [1] });
  });
});

describe("numberLiteral", () => {
  it.each<[string, number | bigint]>([
    ["0", 0],
    ["-0", 0],
    ["0.0", 0],
    [".5", 0.5],
    ["1.", 1],
    ["1.0", 1],
    ["-12.50", -12.5],
    ["1e3", 1000],
    ["1.5e1", 15],
    ["15e-1", 1.5],
    ["9007199254740993", 9007199254740993n],
    ["1e20", 10n ** 20n],
    ["-123456789012345678901234567890", -123456789012345678901234567890n],
    ["1e400", 10n ** 400n],
    ["1e-400", 0],
    ["0e999999999", 0],
  ])("%s", (text, value) => {
    expect(numberLiteral(text)).toBe(value);
  });

  it.each(["", "-", ".", "e1", "0x10", "1e", "NaN", "Infinity", "1 ", "1e1001", "9".repeat(1_001)])(
    "refuses %s",
    (text) => {
      expect(() => numberLiteral(text)).toThrow(RangeError);
    },
  );
});
