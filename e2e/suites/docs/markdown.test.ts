import { expect, it } from "vitest";
import { commandBlocks, missingLine } from "./markdown.ts";

const page = [
  "# Title",
  "",
  "```sh",
  "echo one",
  "```",
  "",
  "```text",
  "one",
  "```",
  "",
  "## Next",
  "```yaml",
  "a: 1",
  "```",
  "```sh fails",
  "false",
  "```",
  "words between",
  "```text",
  "not its output",
  "```",
  "## Otherwise",
  "```sh apart",
  "echo two",
  "```",
].join("\n");

it("finds command blocks, which of them must fail or stand apart, and what they print", () => {
  expect(commandBlocks(page)).toEqual([
    { heading: "Title", line: 4, script: "echo one", mustFail: false, isApart: false, expected: ["one"] },
    { heading: "Next", line: 16, script: "false", mustFail: true, isApart: false, expected: [] },
    { heading: "Otherwise", line: 24, script: "echo two", mustFail: false, isApart: true, expected: [] },
  ]);
});

it("refuses a block that is never closed", () => {
  expect(() => commandBlocks("```sh\necho")).toThrow("line 1");
});

it("looks for expected lines in order, with … for anything", () => {
  const output = "NAME   AGE\nweb    3s\nother  4s\n";
  expect(missingLine(["NAME AGE", "web …s", "other …"], output)).toBeUndefined();
  expect(missingLine(["other …", "web …"], output)).toBe("web …");
  expect(missingLine(["we…"], "we(b")).toBeUndefined();
  expect(missingLine(["web"], "webs")).toBe("web");
});
