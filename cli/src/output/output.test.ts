import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { recordingTerminal } from "../recording-terminal.test-kit.ts";
import { sarif } from "./sarif.ts";
import { painted, table } from "./table.ts";
import { paint, progress, wantsColor } from "./terminal.ts";

describe("colour", () => {
  it("is for terminals, unless NO_COLOR or TERM=dumb says otherwise", () => {
    expect(wantsColor({}, true)).toBe(true);
    expect(wantsColor({}, false)).toBe(false);
    expect(wantsColor({ NO_COLOR: "1" }, true)).toBe(false);
    expect(wantsColor({ NO_COLOR: "" }, true)).toBe(true);
    expect(wantsColor({ TERM: "dumb" }, true)).toBe(false);
    expect(wantsColor({ FORCE_COLOR: "1" }, false)).toBe(true);
  });
  it("leaves text alone when off", () => {
    expect(paint({ color: false }, "red", "x")).toBe("x");
    expect(paint({ color: true }, "red", "x")).toContain("\u001b[31m");
  });
});

describe("table", () => {
  it("aligns columns by what is seen, not by escape sequences, and leaves no trailing blanks", () => {
    const text = table(
      ["a", "b"],
      [
        [painted({ color: true }, "red", "long cell"), "1"],
        ["x", ""],
      ],
    );
    const lines = stripVTControlCharacters(text).split("\n");
    expect(lines).toEqual(["A           B", "long cell   1", "x", ""]);
    expect(text).toContain("\u001b[31mlong cell\u001b[0m");
  });

  it("shows what others wrote without what a terminal would do for it", () => {
    const hostile = "team\u001b]0;pwn\u0007\u001b[1A\u001b[2Kx\u009b31m\u007f\n\u202eroot";
    const text = table(["a", "b"], [[hostile, painted({ color: true }, "red", hostile)]]);
    expect(text.replaceAll("\u001b[31m", "").replaceAll("\u001b[0m", "").replaceAll("\n", "")).not.toMatch(
      /[\p{Cc}\u202e]/u,
    );
    expect(text.split("\n")).toHaveLength(3);
    expect(text).toContain("team\ufffd]0;pwn\ufffd\ufffd[1A");
  });
});

describe("progress", () => {
  it("is silent where nobody watches and is cleared where somebody does", () => {
    const quiet = recordingTerminal();
    progress(quiet, "working")();
    expect(quiet.stderr).toBe("");
    const watched = recordingTerminal({ interactive: true });
    progress(watched, "working")();
    expect(watched.stderr.endsWith("working\r\u001b[2K")).toBe(true);
  });
});

describe("sarif", () => {
  it("lists each rule once and points each result at it", () => {
    const finding = { ruleId: "b", level: "error", message: "m", file: "f.yaml", line: 3 } as const;
    const log = JSON.parse(sarif("1.2.3", [finding, { ...finding, ruleId: "a", level: "note" }, finding]));
    expect(log.version).toBe("2.1.0");
    const [run] = log.runs;
    expect(run.tool.driver.rules.map((r: { id: string }) => r.id)).toEqual(["a", "b"]);
    expect(run.results.map((r: { ruleIndex: number }) => r.ruleIndex)).toEqual([1, 0, 1]);
    expect(run.results[0].locations[0].physicalLocation.region.startLine).toBe(3);
  });
});
