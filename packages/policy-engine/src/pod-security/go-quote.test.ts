import { expect, it } from "vitest";
import { goQuoted } from "./go-quote.ts";

it.each([
  ["plain", '"plain"'],
  ['a"b\\c', String.raw`"a\"b\\c"`],
  ["\n\t\r\x07\b\f\v", String.raw`"\n\t\r\a\b\f\v"`],
  ["\x00\x7f", String.raw`"\x00\x7f"`],
  ["ü\u{1f600}", '"ü\u{1f600}"'],
  ["\u200b\u00a0\u{e0001}", String.raw`"\u200b\u00a0\U000e0001"`],
  ["\ud800", '"\ufffd"'],
])("quotes %j as Go's strconv.Quote does", (text, quoted) => {
  expect(goQuoted(text)).toBe(quoted);
});
