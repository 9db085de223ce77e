import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseChallenges } from "./challenge.ts";

const read = (header: string) =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

describe("WWW-Authenticate", () => {
  it.each([
    [
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull"',
      [
        [
          "bearer",
          {
            realm: "https://auth.docker.io/token",
            service: "registry.docker.io",
            scope: "repository:a/b:pull",
          },
        ],
      ],
    ],
    ['Basic realm="a \\"quoted\\", name"', [["basic", { realm: 'a "quoted", name' }]]],
    [
      "Negotiate, Basic realm=x, , Bearer realm=y ,service = z",
      [
        ["negotiate", {}],
        ["basic", { realm: "x" }],
        ["bearer", { realm: "y", service: "z" }],
      ],
    ],
    ["Bearer realm=a, realm=b", [["bearer", { realm: "a" }]]],
    ['Bearer realm="never ends', [["bearer", {}]]],
    ["", []],
    [",,, ", []],
    ["=", []],
  ])("%j", (header, expected) => {
    expect(read(header)).toEqual(expected);
  });

  it("is read to an end, whatever it is", () => {
    const sign = fc.constantFrom("a", "B", "=", '"', ",", " ", "\\", "\t", ";", "ü", "realm", "Basic ");
    const text = fc.oneof(
      fc.array(sign, { maxLength: 40 }).map((signs) => signs.join("")),
      fc.string(),
    );
    fc.assert(
      fc.property(text, (header) => {
        for (const { scheme, parameters } of parseChallenges(header)) {
          expect(scheme).not.toBe("");
          expect(parameters.size).toBeLessThanOrEqual(16);
        }
      }),
      { numRuns: 2_000 },
    );
    expect(parseChallenges(`Basic ${"a=b,".repeat(10_000)}`)).toEqual([]);
    expect(parseChallenges("a ".repeat(4_000)).length).toBeLessThanOrEqual(8);
  });
});
