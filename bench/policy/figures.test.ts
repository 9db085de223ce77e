import { describe, expect, it } from "vitest";
import type { Measured } from "../lib/turn.ts";
import { FigureLines } from "./figures.ts";
import { figureNames, goalsOf } from "./goals.ts";

const rate = { name: "rate", unit: "/s", better: "more" } as const;

describe("the lines of a figure", () => {
  it("have a peer each, but for those that were not measured", () => {
    const lines = new FigureLines();
    lines.add(rate, 200, "cel", 100, { vap: 10, gatekeeper: undefined });
    expect(lines.lines).toEqual([
      { name: "rate, 200 policies, cel", value: 100, unit: "/s", peer: "vap", peerValue: 10, ratio: 10 },
    ]);
  });

  it("are none where it was not measured", () => {
    const lines = new FigureLines();
    lines.add(rate, 1_000, "native", undefined, { vap: 2 });
    expect(lines.lines).toEqual([]);
  });

  it("are compared with the smallest size beyond the size of the goals", () => {
    const lines = new FigureLines();
    for (const [size, value] of [
      [16, 100],
      [200, 90],
      [1_000, 60],
    ] as const) {
      lines.add(rate, size, "cel", value, {});
    }
    expect(lines.lines.map(({ name, peer, ratio }) => [name, peer, ratio])).toEqual([
      ["rate, 1,000 policies, cel", "16 policies", 0.6],
    ]);
  });
});

describe("the goals", () => {
  const at = (perSecond: number): Measured => ({
    closedMs: Array.from({ length: perSecond }, () => 1),
    ...{ closedSeconds: 1, openMs: [], apiServerCpuMs: 2 * perSecond, webhookCpuMs: perSecond, rssMiB: 0 },
  });
  const all = new Map([
    [
      16,
      new Map([
        ["vap-one", at(300)],
        ["shieldx-cel", at(400)],
      ] as const),
    ],
    [
      200,
      new Map([
        ["vap", at(10)],
        ["gatekeeper", at(30)],
      ] as const),
    ],
    [1_000, new Map()],
  ]);

  it("are those of the one policy with 16 rules, of both peers with 200, of our own with 1,000", () => {
    expect(goalsOf(16, "cel", all)).toMatchObject({ [figureNames.rate]: 300, [figureNames.cpu]: 3 });
    expect(goalsOf(200, "cel", all)[figureNames.rate]).toBe(300);
    expect(goalsOf(200, "native", all)[figureNames.rate]).toBe(200);
    expect(goalsOf(1_000, "cel", all)[figureNames.rate]).toBe(200);
    expect(goalsOf(1_000, "rego", all)[figureNames.rate]).toBeUndefined();
  });
});
