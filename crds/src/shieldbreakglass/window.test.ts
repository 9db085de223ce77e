import { describe, expect, it } from "vitest";
import { breakGlassWindow, breaksPolicy, isBreakGlassOpen } from "./window.ts";

const created = Date.parse("2026-12-01T10:00:00Z");
const hour = 3_600_000;

function glass(hours: number, metadata: object = {}) {
  return {
    metadata: { name: "inc", creationTimestamp: new Date(created).toISOString(), ...metadata },
    spec: {
      policies: ["restricted-pods"],
      reason: "INC-1: it has to be",
      expiresAt: new Date(created + hours * hour).toISOString(),
    },
  };
}

describe("a ShieldBreakGlass", () => {
  it("is open from its creation until its end, and not a moment longer", () => {
    const one = glass(1);
    expect(isBreakGlassOpen(one, created)).toBe(true);
    expect(isBreakGlassOpen(one, created + hour - 1)).toBe(true);
    expect(isBreakGlassOpen(one, created + hour)).toBe(false);
  });

  it("opens nothing when it would last longer than four hours, should it be stored all the same", () => {
    expect(isBreakGlassOpen(glass(4), created + 1)).toBe(true);
    const longer = glass(4.001);
    expect(isBreakGlassOpen(longer, created + 1)).toBe(false);
    expect(breakGlassWindow(longer)).toMatchObject({ problem: expect.stringContaining("more than 4 hours") });
  });

  it("opens nothing by a clock that went back behind its creation", () => {
    expect(isBreakGlassOpen(glass(1), created - 30_000)).toBe(true);
    expect(isBreakGlassOpen(glass(1), created - 2 * 60_000)).toBe(false);
  });

  it("opens nothing while it is being deleted, and nothing when it has no time of creation", () => {
    expect(isBreakGlassOpen(glass(1, { deletionTimestamp: "2026-12-01T10:00:00Z" }), created)).toBe(false);
    expect(isBreakGlassOpen(glass(1, { creationTimestamp: undefined }), created)).toBe(false);
  });

  it("is about the policies it names, and all of them only means those of the cluster", () => {
    const named = glass(1).spec;
    expect(breaksPolicy(named, "restricted-pods")).toBe(true);
    expect(breaksPolicy(named, "other")).toBe(false);
    const { policies: _, ...rest } = named;
    const all = { ...rest, allPolicies: true as const };
    expect(breaksPolicy(all, "other")).toBe(true);
    expect(breaksPolicy(all, "team/other")).toBe(false);
  });
});
