import { expect, it } from "vitest";
import { Random } from "../../../testing/random.ts";
import { JsonSyntaxError, parseJson } from "../builtins/go/json-parse.ts";
import { compareValues, ValueDepthError } from "../values.ts";
import { isPlainJson } from "./plain-json.ts";

const pieces = [
  ..."[]{},: \n",
  '"a"',
  '"__proto__":',
  '"constructor":',
  '"\\u0041"',
  '"\\ud83d\\ude00"',
  '"\\uD800"',
  '"\\\\u d"',
  '"\\""',
  '"ü€😀"',
  '"\\x"',
  '"\u0001"',
  "null",
  "true",
  "0",
  "-0",
  "-0.0",
  "1.50",
  "-12",
  "01",
  "1.",
  ".5",
  "1e3",
  "1E+2",
  "123456789012345",
  "9007199254740993",
  "0.1234567890123456789",
  "--1",
  '"a":1',
  '"a":[2.0]',
  '{"b":{"c":[]}}',
];

it("tells texts that both readers read alike: 50,000 of them by lot", () => {
  const random = new Random(7);
  let plain = 0;
  let valid = 0;
  for (let n = 0; n < 50_000; n++) {
    const inner = Array.from({ length: random.below(6) }, () => random.pick(pieces)).join("");
    const text = random.pick([inner, `[${inner}]`, `{"k":${inner}}`, `{${inner}}`]);
    if (!isPlainJson(Buffer.from(text))) continue;
    plain += 1;
    const theirs = attempt(() => JSON.parse(text) as ReturnType<typeof parseJson>);
    const ours = attempt(() => parseJson(text));
    if ("error" in theirs || "error" in ours) {
      expect([text, "error" in theirs]).toEqual([text, "error" in ours]);
      continue;
    }
    valid += 1;
    expect([text, compareValues(theirs.value, ours.value)]).toEqual([text, 0]);
  }
  expect(plain).toBeGreaterThan(20_000);
  expect(valid).toBeGreaterThan(1_000);
});

it.each(["-0", "1e3", "9007199254740993", '"\\uD83D"', '{"a":[1,2,{"b":1E3}]}', `${"[".repeat(1_000)}`])(
  "leaves %.30s to the exact reader",
  (text) => {
    expect(isPlainJson(Buffer.from(text))).toBe(false);
  },
);

it.each(['{"a":[1,2.5,-3,"\\u00e9 \\" 1e3"],"__proto__":null}', `${"[".repeat(999)}${"]".repeat(999)}`])(
  "leaves %.30s to V8",
  (text) => {
    expect(isPlainJson(Buffer.from(text))).toBe(true);
  },
);

function attempt<T>(work: () => T): { readonly value: T } | { readonly error: Error } {
  try {
    return { value: work() };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof JsonSyntaxError || error instanceof ValueDepthError)
      return { error };
    throw error;
  }
}
