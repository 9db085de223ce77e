import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { compared } from "./line.ts";
import { merged, readResults, renderResults } from "./results.ts";
import { renderTable, replaceBetween } from "./table.ts";

const sync = compared({ name: "sync", unit: "s", better: "less", ours: 2, peers: { goal: 3, go: 4 } });
const rate = compared({ name: "rate", unit: "/s", better: "more", ours: 90_000, peers: { go: 30_000 } });

describe("results", () => {
  it("become a table with the goal last and an empty cell where a peer was not measured", () => {
    expect(renderTable([...sync, ...rate])).toBe(
      [
        "|  | ShieldX | go | goal |",
        "| --- | --- | --- | --- |",
        "| sync, s | **2** | 4 (×2) | 3 (×1.5) |",
        "| rate, /s | **90,000** | 30,000 (×3) |  |",
      ].join("\n"),
    );
  });

  it("say of what cannot be told from nothing that it is no more than that, without a ratio", () => {
    const added = { name: "added", unit: "ms", better: "less", resolution: 0.1 } as const;
    const lines = [
      ...compared({ ...added, ours: 2, peers: { none: -0.3, slow: 4 } }),
      ...compared({ ...added, name: "less added", ours: 0, peers: { none: 0, slow: 4 } }),
    ];
    expect(renderTable(lines).split("\n").slice(2)).toEqual([
      "| added, ms | **2** | ≤ 0.1 | 4 (×2) |",
      "| less added, ms | **≤ 0.1** | ≤ 0.1 | 4 |",
    ]);
  });

  it("replace the former ones of their names and leave the others", () => {
    const again = compared({ name: "sync", unit: "s", better: "less", ours: 1, peers: { go: 4 } });
    expect(merged([...sync, ...rate], again)).toEqual([...again, ...rate]);
  });

  it("go between the markers of their benchmark only", () => {
    const text = "a\n<!-- x: generated -->\nold\n<!-- x: end -->\nb";
    expect(replaceBetween(text, "x", "new")).toBe("a\n<!-- x: generated -->\nnew\n<!-- x: end -->\nb");
    expect(() => replaceBetween(text, "y", "new")).toThrow('no markers "<!-- y: generated -->"');
  });
});

it.each(["runtime", "admission", "audit", "policy", "images"])(
  "the README's table of %s is the one its results make",
  (benchmark) => {
    const readme = readFileSync(join(import.meta.dirname, "..", "README.md"), "utf8");
    expect(replaceBetween(readme, benchmark, renderResults(readResults(benchmark)))).toBe(readme);
  },
);
