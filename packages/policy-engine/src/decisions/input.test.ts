import { describe, expect, it } from "vitest";
import { DocumentError, parseDocument } from "./input.ts";

describe("documents of questions", () => {
  it.each([
    ["9007199254740993", 9007199254740993n],
    ["1234567890123456789012345", 1234567890123456789012345n],
    ["1e30", 10n ** 30n],
    ["1.5e300", 15n * 10n ** 299n],
    ["1e400", 10n ** 400n],
    ["1e15", 1e15],
    ["0.1234567890123456", 0.1234567890123456],
    ["1e-400", 0],
    ['"1234567890123456"', "1234567890123456"],
  ])("keep their integers: %s", (text, value) => {
    expect(parseDocument(`{"a":[${text}]}`)).toEqual({ a: [value] });
  });

  it("are refused in Go's words, long ones in short", () => {
    const why = (text: string) => {
      try {
        return parseDocument(text);
      } catch (error) {
        expect(error).toBeInstanceOf(DocumentError);
        return (error as DocumentError).message;
      }
    };
    expect(why("{x}")).toBe("invalid character 'x' looking for beginning of object key string");
    expect(why("1e999999")).toBe("invalid number: number too big");
    expect(why(`[${"1,".repeat(50_000)}]`)).toMatch(/^invalid JSON: /);
  });

  it("may not be made of long numbers only", () => {
    expect(parseDocument(`[${"1e300,".repeat(1_000)}1]`)).toHaveLength(1_001);
    expect(() => parseDocument(`[${"1e30000,".repeat(100_000)}1]`)).toThrow(
      "too many numbers of too many digits",
    );
  });
});
