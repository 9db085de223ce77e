import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { parseManifests, readBounded, readManifests } from "./read.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "shieldctl-"));
});
afterAll(async () => rm(folder, { recursive: true }));

describe("manifests", () => {
  it("keep the line each document begins at, also inside a List", () => {
    const text =
      "# head\napiVersion: v1\nkind: Namespace\n---\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod}\n";
    expect(parseManifests(text, "f").map((m) => [m.object.kind, m.line])).toEqual([
      ["Namespace", 2],
      ["Pod", 6],
    ]);
  });
  it("name file, line and column of what is not YAML", () => {
    expect(() => parseManifests("a: b\nc: [1,\n", "bad.yaml")).toThrow(/^bad\.yaml:\d+:\d+: /);
  });
  it("refuse what is not a Kubernetes object", () => {
    expect(() => parseManifests("a: b\n", "f.yaml")).toThrow("f.yaml:1: not a Kubernetes object");
  });
  it("are read from devices and pipes only so far", async () => {
    await expect(readBounded("/dev/zero", 1_000_000, "split it")).rejects.toThrow(
      "/dev/zero: split it, at most 1000000 bytes are read",
    );
    expect(await readBounded("/dev/null", 1, "split it")).toHaveLength(0);
  });
  it("do not expand alias bombs", () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${"bcdefghij"
      .split("")
      .map((c, i) => `${c}: &${c} [${Array(9).fill(`*${"abcdefghij"[i]}`).join(",")}]`)
      .join("\n")}\n`;
    expect(() => parseManifests(bomb, "f.yaml")).toThrow(UsageError);
  });
  it("throw nothing but UsageError, whatever the text", () => {
    const fragments = fc.constantFrom(
      "apiVersion: v1\n",
      "kind: Pod\n",
      "---\n",
      "- ",
      "{",
      "}",
      "&a ",
      "*a",
      "!!js ",
      "|\n  x\n",
      "\t",
      '"',
      "'",
      "? ",
      ": ",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.array(fragments).map((a) => a.join("")),
        ),
        (text) => {
          try {
            parseManifests(text, "f");
          } catch (error) {
            if (!(error instanceof UsageError)) throw error;
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
  it("are read from folders in name order, other files left alone", async () => {
    await mkdir(join(folder, "sub"));
    await writeFile(join(folder, "sub", "b.yml"), "apiVersion: v1\nkind: B\n");
    await writeFile(join(folder, "a.json"), '{"apiVersion":"v1","kind":"A"}');
    await writeFile(join(folder, "notes.txt"), "not yaml: [");
    expect((await readManifests([folder])).map((m) => m.object.kind)).toEqual(["A", "B"]);
  });
  it("that are not there are named", async () => {
    await expect(readManifests([join(folder, "none")])).rejects.toThrow("no such file or folder");
  });
});
