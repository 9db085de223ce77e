import { MAX_FOUND } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { NOTHING_COUNTED } from "./counts.ts";
import { mergedBefore, mergeFound, type ProcessFound } from "./found.ts";

const found = (
  process: string,
  namespaces: [string, number][],
  names: string[] = [],
  more = 0,
): ProcessFound => ({
  process,
  counts: { ...NOTHING_COUNTED, found: namespaces.reduce((sum, [, count]) => sum + count, more) },
  distinct: names.length,
  objects: names.map((name) => ({ namespace: "shop", kind: "Pod", name, message: "needs an owner" })),
  namespaces,
});

describe("mergeFound", () => {
  it("adds what each process found since it was told last", () => {
    const first = mergeFound(
      undefined,
      [found("a", [["shop", 2]], ["x"]), found("b", [["shop", 1]])],
      new Map(),
    );
    expect(first.found).toEqual({
      objects: [{ namespace: "shop", kind: "Pod", name: "x", message: "needs an owner" }],
      namespaces: [{ name: "shop", denied: 3 }],
    });
    const again = mergeFound(first.found, [found("a", [["shop", 2]], ["x"])], first.merged);
    expect(again.found).toEqual(first.found);
    const second = mergeFound(
      first.found,
      [
        found(
          "a",
          [
            ["shop", 5],
            ["till", 1],
          ],
          ["x", "y"],
          4,
        ),
        found("c", [["till", 2]]),
      ],
      first.merged,
    );
    expect(second.found?.namespaces).toEqual([
      { name: "shop", denied: 6 },
      { name: "till", denied: 3 },
    ]);
    expect(second.found?.moreNamespaces).toBe(4);
    expect(second.found?.objects.map(({ name }) => name)).toEqual(["x", "y"]);
  });

  it("counts nothing twice for a leader that knows only the status", () => {
    const first = mergeFound(undefined, [found("a", [["shop", 2]])], new Map());
    const share = { id: "a", ...NOTHING_COUNTED, found: 2 };
    const told = [found("a", [["shop", 2]]), found("new", [["shop", 3]])];
    const next = mergeFound(first.found, told, mergedBefore([share], told, new Map()));
    expect(next.found?.namespaces).toEqual([{ name: "shop", denied: 5 }]);
  });

  it("is bounded, and says how much more there is", () => {
    const names = Array.from({ length: 60 }, (_, at) => `pod-${at}`);
    const namespaces = Array.from({ length: 30 }, (_, at): [string, number] => [`team-${at}`, at + 1]);
    const { found: all } = mergeFound(undefined, [found("a", namespaces, names)], new Map());
    expect(all?.objects).toHaveLength(MAX_FOUND);
    expect(all?.moreObjects).toBe(60 - MAX_FOUND);
    expect(all?.namespaces).toHaveLength(MAX_FOUND);
    expect(all?.namespaces[0]).toEqual({ name: "team-29", denied: 30 });
    expect(all?.moreNamespaces).toBe(55);
    const { found: more } = mergeFound(all, [found("b", [], ["pod-0", "other"])], new Map());
    expect(more?.moreObjects).toBe(60 - MAX_FOUND);
  });

  it("is nothing where nothing was found", () => {
    expect(mergeFound(undefined, [found("a", [])], new Map()).found).toBeUndefined();
  });
});
