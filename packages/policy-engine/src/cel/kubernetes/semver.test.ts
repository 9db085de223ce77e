import { describe, expect, it } from "vitest";
import { errorOf, evaluate } from "./evaluate.test-kit.ts";

describe("semver", () => {
  it("orders versions as semver.org §11 does", () => {
    const ascending = [
      "1.0.0-1",
      "1.0.0-alpha",
      "1.0.0-alpha.1",
      "1.0.0-alpha.beta",
      "1.0.0-beta.2",
      "1.0.0-beta.11",
      "1.0.0-rc.1",
      "1.0.0",
      "1.0.1",
      "1.2.0",
      "10.0.0",
    ];
    for (const [at, a] of ascending.entries()) {
      for (const [otherAt, b] of ascending.entries()) {
        expect(evaluate("semver(a).compareTo(semver(b))", { a, b }), `${a} ${b}`).toBe(
          Math.sign(at - otherAt),
        );
      }
    }
    expect(evaluate("semver('1.0.0+a') == semver('1.0.0+b')")).toBe(true);
  });

  it("refuses others with the parser's text", () => {
    const failure = (s: string) => errorOf("semver(s)", { s });
    expect(failure("")).toBe("Version string empty");
    expect(failure("1.2")).toBe("No Major.Minor.Patch elements found");
    expect(failure("v1.0.0")).toBe('Invalid character(s) found in major number "v1"');
    expect(failure("1.02.3")).toBe('Minor number must not contain leading zeroes "02"');
    expect(failure("1.2.3-01")).toBe('Numeric PreRelease version must not contain leading zeroes "01"');
    expect(failure("1.2.3-")).toBe("Prerelease is empty");
    expect(failure("1.2.3+")).toBe("Build meta data is empty");
    expect(failure("1..3")).toBe('strconv.ParseUint: parsing "": invalid syntax');
    expect(failure("18446744073709551616.0.0")).toBe(
      'strconv.ParseUint: parsing "18446744073709551616": value out of range',
    );
  });

  it("normalizes when asked to", () => {
    expect(
      evaluate("[semver('v01.2', true).major(), semver('v01.2', true).minor(), semver('3', true).patch()]"),
    ).toEqual([1, 2, 0]);
    expect(evaluate("isSemver('v1.0') || !isSemver('v1.0', true)")).toBe(false);
    expect(errorOf("semver('1.2-rc', true)")).toBe("short version cannot contain PreRelease/Build meta data");
  });

  it("shows numbers beyond int64 as the server does", () => {
    expect(evaluate("semver('18446744073709551615.0.0').major()")).toBe(-1);
  });
});
