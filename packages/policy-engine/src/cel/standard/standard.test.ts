import { describe, expect, it } from "vitest";
import { bindings, CelEnvironment, CelError, type CelValue, compile } from "../index.ts";
import { parseGoDuration } from "./duration.ts";
import { formatGoFixed, formatGoG, parseGoFloat } from "./go-numbers.ts";

const environment = new CelEnvironment();
const evaluate = (source: string): CelValue =>
  compile(environment.parse(source), environment).evaluate(bindings({})).value;

describe("numbers as Go writes them", () => {
  it("use exponents below 1e-4 and from 1e6 on", () => {
    expect(
      [1e5, 1e6, 123456789, 1.5e-5, 0.0001, -0, Infinity, Number.NaN].map((value) => formatGoG(value)),
    ).toEqual(["100000", "1e+06", "1.23456789e+08", "1.5e-05", "0.0001", "-0", "+Inf", "NaN"]);
    expect(formatGoG(1e20, 21)).toBe("100000000000000000000");
    expect([1e-9, 1e21, 1234.5].map(formatGoFixed)).toEqual([
      "0.000000001",
      "1000000000000000000000",
      "1234.5",
    ]);
  });

  it("are read back, and nothing else is", () => {
    expect(["1.", ".5", "-1e3", "+Inf", "infinity"].map(parseGoFloat)).toEqual([
      1,
      0.5,
      -1000,
      Infinity,
      Infinity,
    ]);
    expect(["", ".", "1e", "0x", "1_0", " 1", "1e999"].map(parseGoFloat)).toEqual(
      new Array(7).fill(undefined),
    );
  });
});

describe("durations", () => {
  it.each([
    ["1h2m3.5s", 3_723_500_000_000n],
    ["-1.5h", -5_400_000_000_000n],
    ["100µs", 100_000n],
    ["1.0000000005s", 1_000_000_000n],
    ["0", 0n],
    ["2562047h47m16.854775807s", 9_223_372_036_854_775_807n],
    ["2562047h47m16.854775808s", undefined],
    ["1", undefined],
    ["1d", undefined],
    [".s", undefined],
    ["", undefined],
    ["1h-2m", undefined],
  ])("%s", (text, nanoseconds) => {
    expect(parseGoDuration(text)).toBe(nanoseconds);
  });
});

describe("conversions and getters", () => {
  it.each([
    ["string(timestamp('2024-02-29T12:00:00.50+01:00')) == '2024-02-29T12:00:00.5+01:00'"],
    ["timestamp('2024-02-29T12:00:00Z').getDayOfYear() == 59"],
    ["timestamp('2024-07-01T00:30:00Z').getHours('America/New_York') == 20"],
    ["timestamp('2024-01-01T00:30:00Z').getFullYear('-02:00') == 2023"],
    ["timestamp('0001-01-01T00:00:00Z').getDayOfWeek() == 1"],
    [
      "timestamp('9999-12-31T23:59:59.999999999Z') - timestamp('9999-12-31T23:59:59Z') == duration('999999999ns')",
    ],
    ["duration('3730s').getMinutes() == 62"],
    ["string(duration('1m0.000000001s')) == '60.000000001s'"],
    ["int('-9223372036854775808') == -9223372036854775808"],
    ["int(9.9) == 9 && int(-9.9) == -9 && uint('18446744073709551615') == 18446744073709551615u"],
    ["string(b'\\xc3\\xa9') == 'é' && string(1e6) == '1e+06' && string(true) == 'true'"],
    ["bool('t') && !bool('FALSE')"],
    ["7 / -2 == -3 && -7 % 3 == -1 && 9223372036854775807 / 3 == 3074457345618258602"],
    ["'\u{1F600}' > '\uffff' && size('\u{1F600}') == 1"],
    ["1 == 1.0 && 1u == 1 && dyn(1) != 'a' && [1.0] == [1] && {1: 'a'} == {1.0: 'a'}"],
    ["9007199254740993 != 9007199254740992 && 0.0 / 0.0 != 0.0 / 0.0"],
    ["type(type(1)) == type && type([]) == list && type(null) == null_type"],
  ])("%s", (source) => {
    expect(evaluate(source)).toBe(true);
  });

  it.each([
    ["timestamp('2023-02-29T00:00:00Z')"],
    ["timestamp('2024-01-01T24:00:00Z')"],
    ["timestamp('2024-01-01 00:00:00Z')"],
    ["timestamp('9999-12-31T23:59:59Z') + duration('1s')"],
    ["timestamp(0).getHours('Nowhere/City')"],
    ["timestamp(0).getHours('01:99')"],
    ["int(9223372036854775807.0)"],
    ["int('1e3')"],
    ["uint(-1)"],
    ["string(b'\\xff')"],
    ["-(-9223372036854775808)"],
    ["-9223372036854775808 % -1"],
    ["1u - 2u"],
    ["0.0 / 0.0 < 1.0"],
  ])("%s has no value", (source) => {
    expect(() => evaluate(source)).toThrow(CelError);
  });

  it("matches in linear time", () => {
    const text = "a".repeat(2000);
    expect(evaluate(`!'${text}!'.matches('^(a+)+$')`)).toBe(true);
  });
});
