import { describe, expect, it } from "vitest";
import { type BreakGlassObservation, decideBreakGlass } from "./decide.ts";

const start = Date.parse("2026-12-01T10:00:00Z");
const iso = (ms: number): string => new Date(ms).toISOString();
const observed = (over: Partial<BreakGlassObservation> = {}): BreakGlassObservation => ({
  glass: {
    metadata: { name: "inc", uid: "uid", creationTimestamp: iso(start) },
    spec: { policies: ["hosts"], reason: "INC-1: it has to be", expiresAt: iso(start + 3_600_000) },
  },
  generation: 1,
  policies: [{ name: "hosts", refuses: undefined }],
  replicas: { live: 2, open: 2 },
  openInAll: 1,
  written: 0,
  ...over,
});
const readyOf = (over: Partial<BreakGlassObservation>) =>
  decideBreakGlass(observed(over), start + 1000).conditions?.find(({ type }) => type === "Ready");

describe("the status of a ShieldBreakGlass", () => {
  it("says that it is open once every replica goes by it, and how many do until then", () => {
    expect(readyOf({})).toMatchObject({ status: "True", reason: "Open" });
    const opening = readyOf({ replicas: { live: 2, open: 1 } });
    expect(opening).toMatchObject({ status: "False", reason: "Opening" });
    expect(opening?.message).toContain("1 of 2 webhook replicas");
  });

  it("says what to do where there are more than replicas tell of", () => {
    const opening = readyOf({ replicas: { live: 2, open: 0 }, openInAll: 33 });
    expect(opening).toMatchObject({ status: "False", reason: "Opening" });
    expect(opening?.message).toContain("33 ShieldBreakGlasses are open, and replicas tell of 32");
    expect(opening?.message).toContain("delete");
  });
});
