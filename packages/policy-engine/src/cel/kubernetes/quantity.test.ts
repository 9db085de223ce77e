import { describe, expect, it } from "vitest";
import { errorOf, evaluate } from "./evaluate.test-kit.ts";
import { parseQuantity, quantityErrors } from "./resource-quantity.ts";

const compare = (a: string, b: string) => evaluate("quantity(a).compareTo(quantity(b))", { a, b });

describe("quantity", () => {
  it("reads every notation", () => {
    for (const [a, b] of [
      ["200M", "0.2G"],
      ["1Ki", "1024"],
      ["0.5Ki", "512"],
      ["1.5", "1500m"],
      ["12e6", "12M"],
      ["12E6", "12M"],
      ["1n", "0.000000001"],
      ["0.0000000001", "1n"],
      ["+5", "5"],
      [".5", "500m"],
      [".", "0"],
      ["1e4294967299", "1k"],
      ["100Ei", "9223372036854775807"],
    ]) {
      expect(compare(a!, b!), `${a} = ${b}`).toBe(0);
    }
  });

  it("refuses others with the server's text", () => {
    const failure = (s: string) => errorOf("quantity(s)", { s });
    for (const s of ["", "1 ", "1..", "é", "1,3", "Three"]) expect(failure(s), s).toBe(quantityErrors.format);
    for (const s of ["200K", "Mi5", "1mi", "1e", "--1", "1e99999999999999999999"]) {
      expect(failure(s), s).toBe(quantityErrors.suffix);
    }
    expect(failure("e-10")).toBe(quantityErrors.number);
    expect(evaluate("[isQuantity('1.3Gi'), isQuantity('Mi'), isQuantity('1.3G5')]")).toEqual([
      true,
      true,
      false,
    ]);
  });

  it("orders exactly, however far apart", () => {
    expect(compare("9999999999999999999999999999999999999", "9999999999999999999999999999999999998")).toBe(1);
    expect(compare("1e2147483647", "1e2147483646")).toBe(1);
    expect(compare("-1e2147483647", "1n")).toBe(-1);
    expect(evaluate("quantity('50M').isLessThan(quantity('50Mi'))")).toBe(true);
    expect(evaluate("sign(quantity('-1n')) == -1 && sign(quantity('0')) == 0")).toBe(true);
  });

  it("adds and subtracts", () => {
    expect(
      evaluate("quantity('50k').add(20).sub(quantity('100k')).sub(-50000).compareTo(quantity('20'))"),
    ).toBe(0);
    expect(evaluate("quantity('1').sub(quantity('1n')).isLessThan(quantity('1'))")).toBe(true);
    expect(
      evaluate("quantity('9223372036854775807').add(1).compareTo(quantity('9223372036854775808'))"),
    ).toBe(0);
    expect(errorOf("quantity('1e2147483647').add(1)")).toContain("out of range");
  });

  it("is an integer only where the server keeps it as one", () => {
    expect(evaluate("quantity('50k').asInteger()")).toBe(50_000);
    for (const s of ["1Ei", "1.0", "1000m", "9223372036854775808", "12345678901234567890"]) {
      expect(evaluate("quantity(s).isInteger()", { s }), s).toBe(false);
      expect(errorOf("quantity(s).asInteger()", { s })).toBe("cannot convert value to integer");
    }
    // A comparison with a decimal turns the receiver into one.
    expect(
      evaluate("[quantity('1')].map(q, [q.isInteger(), q.compareTo(quantity('1Ei')) < 0, q.isInteger()])"),
    ).toEqual([[true, true, false]]);
  });

  it("has a double near it", () => {
    expect(evaluate("quantity('1.5Gi').asApproximateFloat() == 1610612736.0")).toBe(true);
    expect(evaluate("quantity('1n').asApproximateFloat()")).toBe(1e-9);
    expect(evaluate("quantity('1e400').asApproximateFloat()")).toBe(Number.POSITIVE_INFINITY);
  });

  it("is equal only to what it can be compared with", () => {
    expect(evaluate("quantity('200M') == quantity('0.2G')")).toBe(true);
    expect(errorOf("quantity('1') == quantity('0').add(1)")).toBe("no such overload");
    expect(evaluate("quantity('0').add(1) == quantity('1')")).toBe(true);
  });

  it("reads a hundred thousand digits in no time, and no more than that", () => {
    const started = performance.now();
    expect(parseQuantity("9".repeat(100_000))).toHaveProperty("value");
    expect(parseQuantity("9".repeat(100_001))).toHaveProperty("error");
    expect(parseQuantity(`1.5e${"0".repeat(90_000)}5`)).toHaveProperty("value");
    expect(parseQuantity(`${"0".repeat(50_000)}1${"0".repeat(40_000)}x`)).toHaveProperty("error");
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
