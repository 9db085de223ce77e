import type { Gap } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { RememberedGaps } from "./remembered.ts";

const start = Date.parse("2026-12-01T10:00:00Z");
const hour = 3_600_000;
const gap = (id: string, over: Partial<Gap> = {}): Gap => ({
  id,
  cause: "BreakGlass",
  message: "none",
  from: "2026-12-01T09:00:00Z",
  until: "2026-12-01T10:00:00Z",
  user: "oncall",
  ...over,
});
const policy = (uid: string, gaps?: readonly Gap[]) => ({ name: "guarded", uid, gaps });

describe("the gaps of a policy", () => {
  it("are what its status says", () => {
    const all = new RememberedGaps();
    expect(all.of(policy("a"), start)).toEqual([]);
    all.keep(policy("a", [gap("x")]));
    expect(all.of(policy("a", [gap("y")]), start)).toEqual([gap("y")]);
    expect(all.of(policy("a"), start)).toEqual([gap("x")]);
    expect(all.of({ name: "other", uid: "a", gaps: undefined }, start)).toEqual([]);
  });

  it("are kept, of ShieldBreakGlasses for a day, when the policy is made anew", () => {
    const all = new RememberedGaps();
    const { until: _, ...open } = gap("open");
    all.keep(policy("a", [gap("x"), gap("t", { cause: "Tampering" }), open]));
    expect(all.of(policy("b"), start + hour)).toEqual([gap("x"), open]);
    expect(all.of(policy("b"), start + 25 * hour)).toEqual([open]);
    expect(all.of(policy("b", []), start + hour)).toEqual([]);
  });

  it("are not remembered without end", () => {
    const all = new RememberedGaps();
    for (let at = 0; at < 5_000; at++) all.keep({ name: `p${at}`, uid: "a", gaps: [gap("x")] });
    expect(all.of({ name: "p0", uid: "b", gaps: undefined }, start)).toEqual([]);
    expect(all.of({ name: "p4999", uid: "b", gaps: undefined }, start)).toEqual([gap("x")]);
  });
});
