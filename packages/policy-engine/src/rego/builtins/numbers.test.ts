import { describe, expect, it } from "vitest";
import { call, callWith, testContext } from "./builtins.test-kit.ts";

describe("arithmetic", () => {
  it("is exact on integers beyond 2^53", () => {
    expect(call("plus", 9_007_199_254_740_991, 2)).toBe(9_007_199_254_740_993n);
    expect(call("minus", 9_007_199_254_740_993n, 2)).toBe(9_007_199_254_740_991);
    expect(call("mul", 3_037_000_500, 3_037_000_500)).toBe(9_223_372_037_000_250_000n);
    expect(call("rem", 10n ** 30n + 7n, 10)).toBe(7);
  });

  it("adds decimals at 64 bits of mantissa, as OPA does", () => {
    expect(call("plus", 0.1, 0.2)).toBe(0.3);
    expect(call("mul", 1.1, 1.1)).toBe(1.21);
    expect(call("plus", 0.5, 0.5)).toBe(1);
    expect(call("div", 1, 3)).toBe(1 / 3);
  });

  it("never makes a negative zero", () => {
    expect(Object.is(call("mul", 0, -1), 0)).toBe(true);
    expect(Object.is(call("round", -0.2), 0)).toBe(true);
  });

  it("rounds half away from zero, and ceil and floor like OPA between -1 and 0", () => {
    expect([2.5, -2.5, 0.49999999999999994].map((value) => call("round", value))).toEqual([3, -3, 0]);
    expect(call("ceil", -0.5)).toBe(1);
    expect(call("floor", -0.5)).toBe(0);
    expect(call("floor", -1.5)).toBe(-2);
  });

  it("refuses integers without bound", () => {
    const large = 1n << 131_000n;
    expect(() => call("mul", large, large)).toThrow("more than 131072 bits");
    expect(() => call("bits.lsh", 1, 10_000_000)).toThrow("more than 131072 bits");
    expect(call("bits.rsh", -5, 10_000_000n ** 3n)).toBe(-1);
  });

  it("reports what OPA reports", () => {
    expect(() => call("div", 1, 0)).toThrow("divide by zero");
    expect(() => call("rem", 1.5, 1)).toThrow("modulo on floating-point number");
    expect(() => call("plus", "1", 1)).toThrow("operand 1 must be number but got string");
    expect(() => call("minus", "1", 1)).toThrow("operand 1 must be one of {number, set} but got string");
  });
});

describe("numbers.range", () => {
  it("goes both ways", () => {
    expect(call("numbers.range", 1, 4)).toEqual([1, 2, 3, 4]);
    expect(call("numbers.range", 2, -1)).toEqual([2, 1, 0, -1]);
    expect(call("numbers.range_step", 0, 10, 4)).toEqual([0, 4, 8]);
  });

  it("looks at the clock meanwhile", () => {
    const spent: number[] = [];
    callWith(testContext({ spend: (units) => spent.push(units) }), "numbers.range", 1, 100_000);
    expect(Math.max(...spent)).toBeLessThanOrEqual(4_096);
    expect(spent.reduce((sum, units) => sum + units, 0)).toBeGreaterThanOrEqual(100_000);
  });

  it("refuses a range that would fill the memory", () => {
    expect(() => call("numbers.range", 0, 10n ** 18n)).toThrow("more than 262144 elements");
  });
});

describe("units", () => {
  it("tells milli from mega by case", () => {
    expect(call("units.parse", "100m")).toBe(0.1);
    expect(call("units.parse", "1M")).toBe(1_000_000);
    expect(call("units.parse", "1.5Gi")).toBe(1_610_612_736);
  });

  it("counts whole bytes", () => {
    expect(call("units.parse_bytes", "10KiB")).toBe(10_240);
    expect(call("units.parse_bytes", "1e3kb")).toBe(1_000_000);
    expect(() => call("units.parse_bytes", "1e9999999")).toThrow("exponent too large");
  });
});

describe("to_number", () => {
  it("keeps integers exact", () => {
    expect(call("to_number", "123456789012345678901")).toBe(123_456_789_012_345_678_901n);
    expect(call("to_number", "1e30")).toBe(10n ** 30n);
    expect(call("to_number", "-0.50")).toBe(-0.5);
    expect(() => call("to_number", "1__0")).toThrow("invalid syntax");
    expect(() => call("to_number", "Infinity")).toThrow("valid number string");
  });
});

describe("units.parse_bytes", () => {
  it("comes to the same for amounts as people write them and for the same with a fraction", () => {
    for (const unit of ["K", "M", "G", "Ki", "Mi", "Gi"])
      for (const amount of ["0", "1", "100", "00256", "999999"])
        expect(call("units.parse_bytes", amount + unit)).toBe(
          call("units.parse_bytes", `${amount}.0${unit}`),
        );
  });
});
