import fc from "fast-check";
import { expect, it } from "vitest";
import { deepJsonText } from "./deep-json.ts";
import { exactJsonText } from "./exact-json.ts";

const levels = 10_000;
const down = (value: unknown): unknown => {
  let at = value;
  for (let level = 0; level < levels; level++) at = [at];
  return at;
};

it("writes what JSON.stringify would, were it not too deep for it", () => {
  expect(() => exactJsonText(down(1))).toThrow(RangeError);
  const value = fc.jsonValue({ maxDepth: 4 });
  fc.assert(
    fc.property(value, (inner) => {
      const whole = {
        a: [{}, inner, 9007199254740993n, undefined],
        "\n__proto__": down(inner),
        b: undefined,
      };
      const text = deepJsonText(whole);
      const deep = `${"[".repeat(levels)}${JSON.stringify(inner)}${"]".repeat(levels)}`;
      expect(text).toBe(`{"a":[{},${JSON.stringify(inner)},9007199254740993,null],"\\n__proto__":${deep}}`);
    }),
    { numRuns: 20 },
  );
});
