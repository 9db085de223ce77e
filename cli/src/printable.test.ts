import { expect, it } from "vitest";
import { printable } from "./printable.ts";

it.each([
  ["plain ā 😀 text", "plain ā 😀 text"],
  ["a\r\n\tb", "a b"],
  ["\u001b[2K\u001b]52;c;cm0=\u0007", "\ufffd[2K\ufffd]52;c;cm0=\ufffd"],
  ["\u009b31m\u007f\u0000", "\ufffd31m\ufffd\ufffd"],
  ["\u202e\u2066\u200b\u2028\u2029\ufeff", "\ufffd".repeat(6)],
])("prints %j as %j", (text, expected) => {
  expect(printable(text)).toBe(expected);
});
