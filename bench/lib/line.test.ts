import { describe, expect, it } from "vitest";
import { compared, parseLine, rounded } from "./line.ts";

describe("a comparison", () => {
  it("has a ratio of 1 or more exactly where we are at least as good", () => {
    const time = compared({
      name: "sync",
      unit: "s",
      better: "less",
      ours: 2,
      peers: { slow: 4, fast: 1, same: 2 },
    });
    expect(time.map((line) => [line.peer, line.ratio])).toEqual([
      ["slow", 2],
      ["fast", 0.5],
      ["same", 1],
    ]);
    const rate = compared({
      name: "rate",
      unit: "/s",
      better: "more",
      ours: 30,
      peers: { slow: 10, fast: 60 },
    });
    expect(rate.map((line) => line.ratio)).toEqual([3, 0.5]);
  });

  it("refuses figures that were not measured", () => {
    const broken = { name: "sync", unit: "s", better: "less", ours: Number.NaN, peers: { go: 1 } } as const;
    expect(() => compared(broken)).toThrow("sync: ours is NaN");
  });

  it("has no ratio where one of the two cannot be told from nothing", () => {
    const added = { name: "added", unit: "ms", better: "less", resolution: 0.1 } as const;
    const told = compared({ ...added, ours: 2, peers: { slow: 4, none: -0.3, hardly: 0.1 } });
    expect(told.map(({ value, peerValue, ratio }) => [value, peerValue, ratio])).toEqual([
      [2, 4, 2],
      [2, 0.1, null],
      [2, 0.1, null],
    ]);
    const [untold] = compared({ ...added, ours: -1, peers: { slow: 4 } });
    expect(untold).toMatchObject({ value: 0.1, peerValue: 4, ratio: null, resolution: 0.1 });
    expect(told[0]).not.toHaveProperty("resolution");
    expect(parseLine(JSON.stringify(untold))).toEqual(untold);
  });

  it("keeps three digits", () => {
    expect([rounded(0.012345), rounded(12.345), rounded(123_456.7)]).toEqual([0.0123, 12.3, 123_457]);
  });

  it("is read back from its JSON, and nothing else is", () => {
    const [line] = compared({ name: "sync", unit: "s", better: "less", ours: 2, peers: { go: 4 } });
    expect(parseLine(JSON.stringify(line))).toEqual(line);
    expect(() => parseLine('{"name":"sync"}')).toThrow("not a line of a benchmark");
  });
});
