import { describe, expect, it } from "vitest";
import {
  bindings,
  CelEnvironment,
  type CelValue,
  compile,
  encodersLibrary,
  equals,
  formatValue,
  listsLibrary,
  mathLibrary,
  stringsLibrary,
} from "../index.ts";
import { groupThousands, superscript, toExactFixed, toExponent } from "./decimal-text.ts";

function evaluatorFor(version: number): (source: string) => CelValue {
  const environment = new CelEnvironment({
    libraries: [stringsLibrary({ version }), listsLibrary, mathLibrary, encodersLibrary],
  });
  return (source) => compile(environment.parse(source), environment).evaluate(bindings({})).value;
}
const evaluate = evaluatorFor(2);

describe("strings", () => {
  it.each([
    ["'tacocat'.charAt(7) == ''"],
    ["'a\u{1F600}b'.charAt(1) == '\u{1F600}'"],
    ["'a\u{1F600}b'.indexOf('b') == 2"],
    ["'a\u{1F600}ba'.lastIndexOf('a') == 3"],
    ["'hello'.indexOf('', 9) == 5"],
    ["'hello hello'.replace('he', 'we', 1) == 'wello hello'"],
    ["'ab'.replace('', '-') == '-a-b-'"],
    ["'a,b,c'.split(',', 2) == ['a', 'b,c']"],
    ["''.split('') == [] && ''.split(',') == ['']"],
    ["'\u00a0\u0085 x\ufeff'.trim() == 'x\ufeff'"],
    ["'ABCé'.lowerAscii() == 'abcé'"],
    ["['a', 'b'].join('-') == 'a-b'"],
    ["strings.quote('a\"\\n\\t') == '\"a\\\\\"\\\\n\\\\t\"'"],
  ])("%s", (source) => {
    expect(evaluate(source)).toBe(true);
  });

  it("do not grow without bound", () => {
    expect(() =>
      evaluate("lists.range(5000).map(x, 'ab').join().replace('', lists.range(9000).map(x, 'c').join())"),
    ).toThrow("replace: result of more than");
  });
});

describe("format", () => {
  // As Kubernetes prints them, by golang.org/x/text in American English.
  it.each([
    ["'%s %d %b %o %x %X'.format(['a', -5, 5, 8, 'hi', 255])", "a -5 101 10 6869 FF"],
    ["'%.2f'.format([1234567.891])", "1,234,567.89"],
    ["'%e'.format([1052.032911275])", "1.052033×10⁰³"],
    ["'%f %f'.format([1.0 / 0.0, 0.0 / 0.0])", "∞ NaN"],
    ["'%s'.format([[1.5, 'a', null, duration('90s')]])", '[1.500000, "a", null, duration("90s")]'],
    ["'%s'.format([{'b': 1, 'a': true}])", '{"a":true, "b":1}'],
    ["'%s'.format([2.5e10])", "2.5e+10"],
    ["'100%%'.format([])", "100%"],
  ])("%s: %s", (source, text) => {
    expect(evaluate(source)).toBe(text);
  });

  it("writes plain numbers from version 4 of the library on", () => {
    const plain = evaluatorFor(4);
    expect(plain("'%.2f %e %s'.format([1234567.891, 1000.0, [1.5, 'a']])")).toBe(
      "1234567.89 1.000000e+03 [1.5, a]",
    );
  });

  it.each([
    [
      "'%d'.format(['a'])",
      "error during formatting: decimal clause can only be used on integers, was given string",
    ],
    ["'%s %s'.format(['a'])", "index 1 out of range"],
    ["'%z'.format(['a'])", 'could not parse formatting clause: unrecognized formatting clause "z"'],
    ["'%'.format(['a'])", "unexpected end of string"],
  ])("%s: %s", (source, message) => {
    expect(() => evaluate(source)).toThrow(message);
  });
});

describe("decimal texts", () => {
  it("round halves to even, exactly, at any size", () => {
    expect([0.5, 1.5, 2.5, -0.125].map((value) => toExactFixed(value, 0))).toEqual(["0", "2", "2", "-0"]);
    expect(toExactFixed(0.1, 20)).toBe("0.10000000000000000555");
    expect(toExactFixed(1e22, 1)).toBe("10000000000000000000000.0");
    expect(toExponent(9.9999999, 3)).toEqual({ mantissa: "1.000", exponent: 1 });
    expect(toExponent(5e-324, 2)).toEqual({ mantissa: "4.94", exponent: -324 });
    expect(groupThousands("-1234567.8")).toBe("-1,234,567.8");
    expect(superscript(-7)).toBe("⁻⁰⁷");
  });
});

describe("lists", () => {
  it.each([
    ["[3, 1, 2].sort()", [1, 2, 3]],
    ["['b', 'a'].sortBy(x, x)", ["a", "b"]],
    ["[1, [2, [3]]].flatten(1)", [1, 2, [3]]],
    ["[1, 1.0, 'a', 'a', [1], [1]].distinct()", [1, "a", [1]]],
    ["[1, 2, 3].slice(1, 2)", [2]],
    ["lists.range(3).reverse()", [2, 1, 0]],
  ])("%s", (source, expected) => {
    expect(equals(evaluate(source), expected)).toBe(true);
  });

  it.each([
    ["[1, 2].slice(1, 3)", "cannot slice(1, 3), list is length 2"],
    ["[1, 'a'].sort()", "list elements must have the same type"],
    ["lists.range(2000000)", "lists.range: size 2000000 exceeds maximum allowed (1000000)"],
  ])("%s: %s", (source, message) => {
    expect(() => evaluate(source)).toThrow(message);
  });
});

describe("math and base64", () => {
  it.each([
    ["math.greatest(1, 2.5, 2u)", "2.5"],
    ["math.round(-2.5)", "-3"],
    ["math.abs(-9223372036854775807)", "9223372036854775807"],
    ["math.bitShiftRight(-1, 60)", "15"],
    ["math.bitXor(5, 3)", "6"],
    ["base64.encode(b'hello')", "aGVsbG8="],
    ["string(base64.decode('aGVsbG8'))", "hello"],
  ])("%s is %s", (source, text) => {
    expect(formatValue(evaluate(source))).toBe(text);
  });

  it("refuse what has no result", () => {
    expect(() => evaluate("math.abs(-9223372036854775808)")).toThrow("integer overflow");
    expect(() => evaluate("base64.decode('a*')")).toThrow("illegal base64 data at input byte 1");
    expect(() => evaluate("math.least('a', 1)")).toThrow(
      "math.least() simple literal arguments must be numeric",
    );
  });
});
