import { describe, expect, it } from "vitest";
import { costOf, evaluateToJson } from "./evaluate.test-kit.ts";

const errors = (format: string, s: string) => evaluateToJson(`format.${format}().validate(s)`, { s });

describe("format", () => {
  it("has no messages about valid texts", () => {
    for (const [format, text] of [
      ["dns1123Label", "my-name"],
      ["dns1123Subdomain", "apiextensions.k8s.io"],
      ["dns1035Label", "my-label"],
      ["qualifiedName", "apiextensions.k8s.io/v1beta1"],
      ["dns1123LabelPrefix", "my-label-prefix-"],
      ["dns1123SubdomainPrefix", "my.prefix-"],
      ["dns1035LabelPrefix", "a-"],
      ["labelValue", ""],
      ["uri", "http://example.com"],
      ["uuid", "123E4567-e89b-12d3-a456-426614174000"],
      ["byte", "aGVsbG8="],
      ["date", "2020-02-29"],
      ["datetime", "2021-01-01T00:00:00.5+01:00"],
    ]) {
      expect(errors(format!, text!), format).toBeUndefined();
    }
  });

  it("has the server's messages about others", () => {
    expect(errors("dns1123Label", "a.b")).toEqual(["must not contain dots"]);
    expect(errors("dns1123Label", "A".repeat(64))).toEqual([
      "must be no more than 63 characters",
      "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
    ]);
    expect(errors("qualifiedName", "/")).toEqual([
      "prefix part must be non-empty",
      "name part must be non-empty",
      expect.stringMatching(/^name part must consist of alphanumeric characters, '-', '_' or '\.'/),
    ]);
    expect(errors("qualifiedName", "a/b/c")).toEqual([
      "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
    ]);
    expect(errors("labelValue", "-".repeat(64))).toEqual([
      "must be no more than 63 bytes",
      expect.stringContaining("a valid label must be an empty string or consist of alphanumeric characters"),
    ]);
    expect(errors("uri", "x")).toEqual(['parse "x": invalid URI for request']);
    expect(errors("uuid", "123")).toEqual(["does not match the UUID format"]);
    for (const text of ["", "YQ=", "YQ", "Y==="])
      expect(errors("byte", text), text).toEqual(["invalid base64"]);
    for (const text of ["2021-02-29", "2021-13-01", "2021-1-1"])
      expect(errors("date", text)).toEqual(["invalid date"]);
    for (const text of ["2021-01-01", "2021-01-01T24:00:00Z", "2021-01-01T00:00:00"]) {
      expect(errors("datetime", text)).toEqual(["invalid datetime"]);
    }
  });

  it("finds formats by name, own names only", () => {
    expect(evaluateToJson("format.named('__proto__')")).toBeUndefined();
    expect(evaluateToJson("format.named('toString')")).toBeUndefined();
  });

  it("costs by the expression behind it", () => {
    // 1 for the function, 1 for the variable, 2 to read 12 characters times 8 for an expression of 30.
    expect(costOf("format.dns1123Label().validate(s)", { s: "twelve-chars" })).toBe(18);
  });
});
